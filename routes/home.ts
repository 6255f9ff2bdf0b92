import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { DOORS, homePage } from '../src/registry/pages/home-page.ts';
import { serviceSite } from '../src/registry/pages/site.ts';
import { NOTHING_REGISTERED } from '../src/registry/registry-state.ts';
import { preferred } from './accept.ts';
import { JSON_TYPE, sendTagged } from './answer.ts';
import type { Service } from './context.ts';
import { HTML_TYPE, sendPage } from './html-answer.ts';
import { parseQuery, rawQuery } from './query-string.ts';

/** GET /: where a visitor arrives who knows no more than the address. It says nothing of what is stored. */
const NoQuery = Type.Object({}, { additionalProperties: false });

const Home = Type.Object(
  {
    name: Type.Literal('Stele'),
    version: Type.String(),
    links: Type.Record(Type.String(), Type.String(), { description: 'Paths of what describes the service.' }),
  },
  { description: 'What is at this address.' },
);

export function homeRoutes(app: FastifyInstance, service: Service): void {
  const { version } = service;
  const links = Object.fromEntries(DOORS.map(([name, href]) => [name, href]));
  const json = JSON.stringify({ name: 'Stele', version, links });
  const html = homePage(serviceSite(NOTHING_REGISTERED, version));

  app.get(
    '/',
    {
      config: { action: 'public', produces: [JSON_TYPE, HTML_TYPE] },
      schema: {
        operationId: 'readHome',
        summary: 'What is at this address',
        description: 'Links to what describes the service: a page for browsers, JSON for programs.',
        tags: ['Documentation'],
        querystring: NoQuery,
        response: { 200: Home, 304: Type.Null({ description: 'It is as the client has it.' }) },
      },
    },
    (request, reply) => {
      parseQuery(NoQuery, rawQuery(request.raw.url));
      const vary = ['Vary', 'Accept'];
      if (preferred(request.headers.accept, [JSON_TYPE, HTML_TYPE]) === HTML_TYPE)
        sendPage(reply, html, vary);
      else sendTagged(reply, json, vary);
    },
  );
}
