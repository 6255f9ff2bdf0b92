import { Ajv2020 } from 'ajv/dist/2020.js';
import { type Fault, StoreError } from '../errors.ts';
import type { JsonSchema } from './event-type.ts';

export type Validator = (value: unknown) => readonly Fault[];

/** Stand-in. */
export class SchemaCompiler {
  start(): void {}
  async stop(): Promise<void> {}

  async compile(schema: JsonSchema, { name }: { name: string }): Promise<Validator> {
    try {
      const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema as object);
      return (value) =>
        validate(value)
          ? []
          : (validate.errors ?? []).map(({ instancePath, message = '' }) => ({
              pointer: instancePath,
              detail: message,
            }));
    } catch (error) {
      const detail = (error as Error).message;
      throw new StoreError('INVALID_SCHEMA', `The schema of ${name} cannot be used.`, {
        faults: [{ pointer: '', detail }],
      });
    }
  }
}
