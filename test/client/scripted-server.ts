import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

/** A request as it arrived. */
export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body as JSON, to be looked at and not trusted. */
  readonly json: Record<string, never>;
}

/** One answer. What comes after the last of a script is a mistake of the test, and answered with 599. */
export type Scene = (response: ServerResponse, heard: Heard) => void;

/**
 * A server that plays one answer after the other, faults included: what a client makes of an answer that is cut
 * within an event, of a gateway's page or of a server that stops cannot be had from a healthy service on demand.
 */
export async function playScript(t: Test, script: readonly Scene[]) {
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    let body = '';
    for await (const chunk of request) body += chunk;
    const one: Heard = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
      json: body === '' ? {} : JSON.parse(body),
    };
    heard.push(one);
    const scene = script[heard.length - 1];
    if (scene === undefined) answer(599, {})(response, one);
    else scene(response, one);
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, heard };
}

export const LOG = 'f3b7a9f2-5a4e-4d7c-9a53-0c9f2a7f7f01';

export function answer(status: number, body: object, headers: Record<string, string> = {}): Scene {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'stele-log': LOG, ...headers });
    response.end(JSON.stringify(body));
  };
}

export function problem(
  status: number,
  code: string,
  members: object = {},
  headers: Record<string, string> = {},
): Scene {
  const body = {
    type: '/problems/x',
    title: code,
    status,
    detail: `${code}.`,
    instance: '/',
    code,
    ...members,
  };
  return answer(status, body, { 'content-type': 'application/problem+json', ...headers });
}

/** The connection is closed without a byte of an answer. */
export const hangUp: Scene = (response) => response.destroy();

/** The text is sent, then the connection stays as it is. */
export function stream(type: string, text: string, headers: Record<string, string> = {}): Scene {
  return (response) => {
    response.writeHead(200, { 'content-type': type, 'stele-log': LOG, ...headers });
    response.flushHeaders();
    response.write(text);
  };
}

/** The text is sent; then the connection is cut, in the middle of the answer. */
export function cutStream(type: string, text: string, headers: Record<string, string> = {}): Scene {
  return (response, heard) => {
    stream(type, text, headers)(response, heard);
    setTimeout(() => response.destroy(), 20);
  };
}

/** The text is sent, and the answer ends as it should. */
export function wholeStream(type: string, text: string, headers: Record<string, string> = {}): Scene {
  return (response, heard) => {
    stream(type, text, headers)(response, heard);
    response.end();
  };
}

/** An event as the service renders it. */
export function recorded(position: number): Record<string, unknown> {
  return {
    id: `01a1fbdd-9b75-7c3e-8a57-${String(position).padStart(12, '0')}`,
    type: 'THING.HAPPENED',
    timestamp: '2026-11-21T09:30:00.123Z',
    version: 1,
    tags: {},
    metadata: {},
    data: { n: position },
    position,
    recordedAt: '2026-11-21T09:30:00.131Z',
  };
}
