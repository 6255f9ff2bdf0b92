import { createServer, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';

/**
 * The fan-out that everyone writes first: for each event and each consumer one stringify and one write. It stores
 * nothing, which is in its favour.
 */
const consumers = new Set<ServerResponse>();
let position = 0;

async function publish(events: readonly Record<string, unknown>[]): Promise<void> {
  for (const event of events) {
    position += 1;
    const recorded = { ...event, position, recordedAt: new Date().toISOString() };
    for (const consumer of consumers) {
      consumer.write(`id: ${position}\ndata: ${JSON.stringify(recorded)}\n\n`);
    }
    // Node would merge the writes of one turn. An event that is published when it happens stands alone.
    await turn();
  }
}

const server = createServer((request, response) => {
  if (request.method === 'GET' && request.url?.startsWith('/v1/events/stream')) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.flushHeaders();
    consumers.add(response);
    response.on('close', () => consumers.delete(response));
    return;
  }
  if (request.method === 'POST') {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const { events } = JSON.parse(Buffer.concat(chunks).toString()) as {
        events: Record<string, unknown>[];
      };
      await publish(events);
      const answer = JSON.stringify({ lastPosition: position });
      response.writeHead(201, { 'content-length': answer.length }).end(answer);
    });
    return;
  }
  response.writeHead(200, { 'content-length': 2 }).end('ok');
});
server.listen(Number(process.argv[2]), '127.0.0.1');
