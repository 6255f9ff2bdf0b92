import type { FastifyReply, FastifyRequest } from 'fastify';
import { Connection } from '../src/feed/connection.ts';
import type { Place } from '../src/feed/context.ts';
import type { Filter } from '../src/model/filter.ts';
import type { View } from '../src/model/view.ts';
import type { Framing } from '../src/store/store.ts';
import { standardHeaders } from './answer.ts';
import type { Service } from './context.ts';

/**
 * Answers with a stream of the log, which goes on after this has returned: for as long as the client likes when
 * `live`, up to the present head otherwise. All that can be refused is refused before the first byte.
 *
 * The header Stele-Position is the head as it was before; a client that starts with the next event, and loses the
 * connection before it comes, goes on from there.
 *
 * @throws StoreError POSITION_AHEAD, or what the store fails with.
 */
export async function follow(
  service: Service,
  request: FastifyRequest,
  reply: FastifyReply,
  options: {
    filter: Filter;
    place: Place;
    live: boolean;
    framing: Framing;
    view: View | undefined;
    type?: string;
  },
): Promise<void> {
  const { filter, place, live, framing, view } = options;
  const type = options.type ?? 'text/event-stream';
  const start = await service.feed.locate(place);
  const headers = [
    'Content-Type',
    `${type}; charset=utf-8`,
    // Proxies that compress would hold events back until a buffer is full, and nginx does so by itself.
    'Cache-Control',
    'no-cache, no-transform',
    'X-Accel-Buffering',
    'no',
    'Stele-Position',
    `${start.head}`,
    ...standardHeaders(request),
  ];
  reply.hijack();
  if (request.method === 'HEAD') {
    reply.raw.writeHead(200, headers).end();
    return;
  }
  request.server.gate.markStream(reply);
  const sink = await Connection.open(request.raw, reply.raw, headers);
  if (sink === undefined) return;
  const instance = request.url.split('?', 1)[0] ?? '';
  service.feed.follow({ filter, start, live, framing, view, sink, instance });
}
