import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Test } from 'tap';
import type { Service } from '../../routes/context.ts';
import { buildApp, createService } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { type Answer, type Call, Caller } from './caller.ts';

export interface HttpService {
  readonly app: FastifyInstance;
  readonly service: Service;
  readonly origin: string;
  readonly port: number;
  /** What it logged, a parsed line each. */
  readonly logged: readonly LogLine[];
  call(path: string, call?: Call): Promise<Answer>;
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [member: string]: unknown;
}

export interface HttpServiceOptions {
  /** Settings as flags. */
  readonly argv?: readonly string[];
  /** URL of the store. Default: in memory. */
  readonly store?: string;
  /** Puts something else in the place of a part, such as an appender that fails. */
  readonly replace?: (service: Service) => Partial<Service>;
}

/** The service in this process, listening on a port that the system chose; closed at the end of the test. */
export async function startHttpService(t: Test, options: HttpServiceOptions = {}): Promise<HttpService> {
  const logged: LogLine[] = [];
  const logger = pino(
    { level: 'info' },
    { write: (line: string) => logged.push(JSON.parse(line) as LogLine) },
  );
  const argv = ['--store', options.store ?? 'memory:', '--port', '0', ...(options.argv ?? [])];
  const original = await createService(loadConfig({ argv, env: {}, cwd: tmpdir() }), { logger });
  const replaced = options.replace?.(original) ?? {};
  const service = { ...original, ...replaced };
  // What lets events in hands them to the appender.
  if (replaced.appender !== undefined) service.admission = original.admission.before(replaced.appender);
  const app = buildApp(service);
  const caller = new Caller();
  t.teardown(async () => {
    caller.close();
    await app.close();
    await original.stop();
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  return { app, service, origin, port, logged, call: (path, call) => caller.call(origin, path, call) };
}

/** A problem document, or any other JSON object. */
export function bodyOf(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.text) as Record<string, unknown>;
}

/**
 * Sends text as it is and gives everything that came back until the server closed the connection, or until `until`
 * stands in it.
 */
export async function exchange(port: number, text: string | Buffer, until?: RegExp): Promise<string> {
  const socket = await openSocket(port);
  const received = readUntil(socket, until);
  socket.write(text);
  try {
    return await received;
  } finally {
    socket.destroy();
  }
}

export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

export function readUntil(socket: Socket, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (until?.test(text)) resolve(text);
    });
    socket.once('end', () => resolve(text));
    socket.once('error', (error) => reject(new Error(`${error.message}, after ${text}`)));
  });
}
