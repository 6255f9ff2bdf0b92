import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { temporaryFolder } from '../helpers/command-line.ts';

export const CREATED = {
  type: 'order.created',
  description: 'An order was placed.',
  tagsFromData: { orderId: '/id' },
  versions: [
    {
      version: 1,
      schema: {
        type: 'object',
        required: ['id'],
        additionalProperties: false,
        properties: { id: { $ref: '#/$defs/Id' } },
      },
      examples: [{ data: { id: 'o-1' } }],
    },
  ],
};
export const SECOND = {
  version: 2,
  schema: {
    type: 'object',
    required: ['id'],
    additionalProperties: false,
    properties: { id: { $ref: '#/$defs/Id' }, note: { type: 'string' } },
  },
  examples: [{ data: { id: 'o-1', note: 'by hand' } }],
};

/** A small catalogue in a folder of its own: JSON is as good as YAML. */
export function orders(t: Test, created: object = CREATED): string {
  const folder = path.join(temporaryFolder(t), 'orders');
  for (const name of ['types', 'rules']) mkdirSync(path.join(folder, name), { recursive: true });
  const head = { name: 'orders', description: 'Orders.', $defs: { Id: { type: 'string', minLength: 1 } } };
  write(folder, 'catalogue.yaml', head);
  write(folder, 'types/order.created.json', created);
  write(folder, 'rules/order-once.yaml', { kind: 'unique', types: ['order.created'], tag: 'orderId' });
  return folder;
}

export function write(folder: string, place: string, value: object): void {
  writeFileSync(path.join(folder, place), JSON.stringify(value, null, 2));
}
