import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { sendJson, sendText } from './answer.ts';
import type { Service } from './context.ts';
import { openApiOptions } from './openapi.ts';
import { eventSchema } from './openapi-schemas.ts';
import { parseQuery, rawQuery } from './query-string.ts';

/**
 * What describes the service: /openapi.json, the JSON Schema of an event, and /docs to look at them in a browser.
 *
 * The pages come out of a package and load nothing from elsewhere, so they work without the internet and under a
 * policy that forbids everything but the service itself.
 */
const NoQuery = Type.Object({}, { additionalProperties: false });
const SCHEMA_TYPE = 'application/schema+json';
const PAGE_TYPES = ['text/html', 'text/css', 'application/javascript', 'image/png', 'image/svg+xml'] as const;

const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Has to be registered before the routes that the document is about. */
export async function collectRoutes(app: FastifyInstance, service: Service): Promise<void> {
  await app.register(swagger, openApiOptions(service.version));
}

export async function docsRoutes(app: FastifyInstance): Promise<void> {
  let document: string | undefined;

  app.get(
    '/openapi.json',
    {
      config: { action: 'public' },
      schema: {
        operationId: 'readOpenApi',
        summary: 'Read this document',
        description: 'What the routes declare, as OpenAPI 3.1.',
        tags: ['Documentation'],
        querystring: NoQuery,
        response: {
          200: Type.Object(
            {},
            { description: 'The OpenAPI document of the service.', additionalProperties: true },
          ),
        },
      },
    },
    (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      document ??= JSON.stringify(app.swagger());
      sendJson(reply, 200, document);
    },
  );

  app.get(
    '/event.schema.json',
    {
      config: { action: 'public', produces: [SCHEMA_TYPE, 'application/json'] },
      schema: {
        operationId: 'readEventSchema',
        summary: 'Read the JSON Schema of an event',
        description:
          'The event as it is read, and as it is sent under `$defs/NewEvent`. JSON Schema 2020-12.',
        tags: ['Documentation'],
        querystring: NoQuery,
        response: {
          200: Type.Object(
            {},
            { description: 'A schema of JSON Schema 2020-12.', additionalProperties: true },
          ),
        },
      },
    },
    (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      sendText(reply, 200, SCHEMA_TYPE, JSON.stringify(eventSchema()));
    },
  );

  await app.register(async (pages) => {
    pages.decorate('routeDefaults', { action: 'public', produces: PAGE_TYPES });
    await pages.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      uiConfig: { layout: 'BaseLayout', deepLinking: true, displayOperationId: true, docExpansion: 'list' },
      theme: { title: 'Stele' },
    });
  });
}
