import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { asyncApiDocument } from '../src/registry/async-api.ts';
import { sendTagged } from './answer.ts';
import type { Service } from './context.ts';
import { parseQuery, rawQuery } from './query-string.ts';

/** GET /asyncapi.json: the registered event types for programs. Made once for each revision of the registry. */
const NoQuery = Type.Object({}, { additionalProperties: false });

const Document = Type.Object(
  { asyncapi: Type.String(), info: Type.Object({}), channels: Type.Object({}), operations: Type.Object({}) },
  { additionalProperties: true, description: 'An AsyncAPI document.' },
);

export function asyncApiRoutes(app: FastifyInstance, service: Service): void {
  const { registry, version } = service;
  let kept: { readonly revision: number; readonly text: Promise<string> } | undefined;

  app.get(
    '/asyncapi.json',
    {
      config: { action: 'read', forBrowsers: true },
      schema: {
        operationId: 'readAsyncApi',
        summary: 'Read the event types as AsyncAPI',
        description:
          'AsyncAPI 3.1: the append and the live stream as channels, with a message for each registered type. With a strong `ETag`; `If-None-Match` gives `304` while nothing else is registered.',
        tags: ['Documentation'],
        querystring: NoQuery,
        response: {
          200: Document,
          304: Type.Null({ description: 'What the client has is what is registered.' }),
        },
      },
    },
    async (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      const state = await registry.fresh();
      if (kept?.revision !== state.revision) {
        const text = asyncApiDocument(state, { version }).then((document) => JSON.stringify(document));
        kept = { revision: state.revision, text };
      }
      sendTagged(reply, await kept.text, []);
    },
  );
}
