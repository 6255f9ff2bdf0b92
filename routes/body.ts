import { isUtf8 } from 'node:buffer';
import type { Static, TSchema } from '@sinclair/typebox';
import type { TypeCheck } from '@sinclair/typebox/compiler';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { Faults } from '../src/model/faults.ts';
import { inspectJson } from '../src/model/json-text.ts';

/**
 * Bodies come to the handlers as the bytes that were sent. The framework's validator would turn `"5"` into 5, null
 * into an empty string and drop unknown members without a word, and its parsers would decode broken UTF-8 to U+FFFD;
 * so neither is used. The media type has been checked by the gate before anything was read.
 */
export function keepBodiesRaw(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
}

/**
 * The text of a request's body.
 *
 * @throws StoreError VALIDATION_FAILED when there is none, or when it is not UTF-8.
 */
export function bodyText(request: FastifyRequest): string {
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body) || body.length === 0) throw notJson('The request has no body.', 'is missing');
  if (!isUtf8(body)) throw notJson('The body is not valid UTF-8.', 'is not valid UTF-8');
  return body.toString('utf8');
}

/**
 * Reads a JSON body by a compiled schema, refusing whatever could not be given back value for value.
 *
 * @throws StoreError VALIDATION_FAILED or UNSTORABLE with the JSON Pointer of every fault.
 */
export function parseBody<T extends TSchema>(check: TypeCheck<T>, request: FastifyRequest): Static<T> {
  const faults = new Faults();
  const { value } = inspectJson(bodyText(request), 0, { faults });
  if (check.Check(value) && faults.none) return value;
  faults.addErrors(check.Errors(value));
  throw faults.error();
}

function notJson(message: string, detail: string): StoreError {
  return new StoreError('VALIDATION_FAILED', message, { faults: [{ pointer: '', detail }] });
}
