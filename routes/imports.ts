import type { Readable } from 'node:stream';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LIMITS } from '../src/limits.ts';
import { type ImportChunk, type ImportFailure, importLines } from '../src/store/import.ts';
import { preferred } from './accept.ts';
import { JSON_TYPE, sendJson, standardHeaders } from './answer.ts';
import type { Service } from './context.ts';
import { sendFailure } from './failures.ts';
import { LINE_TYPES } from './lines.ts';
import { parseQuery, rawQuery } from './query-string.ts';

/**
 * Imports: POST /v1/imports takes events as lines of JSON, as many as come within the time of a request.
 *
 * The body is read as it comes, and no faster than its events are stored. As JSON the answer is one object at the
 * end; as NDJSON a line follows each chunk that is durable, so that who sends much sees where he is.
 */
const NoQuery = Type.Object({}, { additionalProperties: false });

const Failure = Type.Object(
  {
    line: Type.Integer({ minimum: 1, description: 'Number of the line in the body, from 1.' }),
    code: Type.String({ description: 'A code of the error catalogue.' }),
    detail: Type.String(),
  },
  { description: 'A line that was not stored.' },
);

const ImportAnswer = Type.Object(
  {
    imported: Type.Integer({ minimum: 0, description: 'Events that were stored.' }),
    duplicates: Type.Integer({
      minimum: 0,
      description: 'Events that were there already, with the same id and content.',
    }),
    rejected: Type.Integer({ minimum: 0, description: 'Lines that were not stored.' }),
    failed: Type.Array(Failure, { description: `The first ${LIMITS.importFailuresMax} of them.` }),
    position: Type.Integer({ minimum: 0, description: 'Of the last event that was stored; 0 without one.' }),
  },
  { description: 'Everything that could be stored is durable.' },
);

const Lines = Type.String({
  description: 'One event a line, as it would be the body of `POST /v1/events`.',
  examples: [
    '{"type":"ISSUE.OPENED","tags":{"issueId":"42"},"data":{}}\n{"type":"ISSUE.CLOSED","data":{}}\n',
  ],
});

export function importRoutes(app: FastifyInstance, service: Service): void {
  app.register(async (routes) => {
    // The body stays a stream here.
    routes.removeAllContentTypeParsers();
    routes.addContentTypeParser('*', (_request, body, done) => done(null, body));
    routes.post(
      '/v1/imports',
      {
        config: { action: 'append', consumes: LINE_TYPES, produces: [JSON_TYPE, ...LINE_TYPES] },
        schema: {
          operationId: 'importEvents',
          summary: 'Import events from lines of JSON',
          description:
            'Stores every line as a new event, in order, in chunks that are stored as a whole. Lines that cannot be stored are reported, the others are stored. Events with an id can be sent again: those that are there are counted as duplicates. As NDJSON the answer has a line for each chunk. The body may take as long as any request, two minutes; send more in parts.',
          tags: ['Append'],
          consumes: [...LINE_TYPES],
          querystring: NoQuery,
          body: Lines,
          response: { 200: ImportAnswer },
        },
      },
      async (request, reply) => {
        parseQuery(NoQuery, rawQuery(request.raw.url));
        const { backend, admission, eventContext: context } = service;
        const chunks = importLines(bodyOf(request), {
          backend,
          append: (wanted, onHandedOver) => admission.append(wanted, { origin: 'import', onHandedOver }),
          refusals: (events) => admission.refusals(events),
          context,
        });
        const type = preferred(request.headers.accept, [JSON_TYPE, ...LINE_TYPES]) ?? JSON_TYPE;
        if (type === JSON_TYPE) await answerOnce(reply, chunks);
        else await answerByChunk(reply, chunks, type);
      },
    );
  });
}

async function answerOnce(reply: FastifyReply, chunks: AsyncIterable<ImportChunk>): Promise<void> {
  const total = { imported: 0, duplicates: 0, rejected: 0, failed: [] as ImportFailure[], position: 0 };
  for await (const { imported, duplicates, failed, position } of chunks) {
    total.imported += imported;
    total.duplicates += duplicates;
    total.rejected += failed.length;
    total.failed.push(...failed.slice(0, LIMITS.importFailuresMax - total.failed.length));
    total.position = Math.max(total.position, position);
  }
  sendJson(reply, 200, JSON.stringify(total), [
    'Stele-Position',
    `${Math.max(total.position, reply.server.service.feed.head)}`,
  ]);
}

/** What fails before the first chunk is a problem document; later the connection breaks, after what is certain. */
async function answerByChunk(
  reply: FastifyReply,
  chunks: AsyncIterable<ImportChunk>,
  type: string,
): Promise<void> {
  const { request, raw } = reply;
  const begin = () => {
    reply.hijack();
    raw.writeHead(200, ['Content-Type', `${type}; charset=utf-8`, ...standardHeaders(request)]);
  };
  try {
    for await (const { failed, ...chunk } of chunks) {
      if (!raw.headersSent) begin();
      const first = failed.slice(0, LIMITS.importFailuresMax);
      raw.write(`${JSON.stringify({ ...chunk, rejected: failed.length, failed: first })}\n`);
    }
  } catch (error) {
    if (!raw.headersSent) throw error;
    if (!raw.destroyed) sendFailure(request, reply, error);
    return;
  }
  if (!raw.headersSent) begin();
  raw.end();
}

function bodyOf(request: FastifyRequest): AsyncIterable<Buffer> {
  return (request.body as Readable | undefined) ?? NOTHING;
}

const NOTHING: AsyncIterable<Buffer> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};
