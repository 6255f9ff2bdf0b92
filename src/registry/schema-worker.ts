import { parentPort } from 'node:worker_threads';
import type { Fault } from '../errors.ts';
import { trySchema, validateText } from './schema-trial.ts';

/**
 * The other side of `schema-thread.ts`: a thread that says, one question after the other, what is wrong with a schema, or with a
 * value of one that was found good. Both are texts of JSON.
 */
export type SchemaQuestion = { readonly schema: string; readonly value?: string };
export type SchemaAnswer =
  | { readonly ready: true }
  /** Undefined where a validation takes more than it may. */
  | { readonly ready?: false; readonly faults: readonly Fault[] | undefined };

const port = parentPort;
port?.on('message', ({ schema, value }: SchemaQuestion) => {
  const answer: SchemaAnswer = {
    faults: value === undefined ? trySchema(schema) : validateText(schema, value),
  };
  port.postMessage(answer);
});
const ready: SchemaAnswer = { ready: true };
port?.postMessage(ready);
