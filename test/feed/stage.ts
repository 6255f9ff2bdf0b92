import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { pino } from 'pino';
import type { Test } from 'tap';
import { Connection } from '../../src/feed/connection.ts';
import { Feed, type FeedOptions } from '../../src/feed/feed.ts';
import { createMetrics, type Metrics } from '../../src/metrics.ts';
import type { RecordedEvent } from '../../src/model/event.ts';
import { compileFilter, type EventFilter } from '../../src/model/filter.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { MemoryBackend } from '../../src/store/memory/store.ts';
import type { Backend, EventBlock, Head } from '../../src/store/store.ts';
import { request as appendRequest, event } from '../helpers/requests.ts';

/** A memory store that several services share, as processes share a database, and that can be told to fail. */
export class SharedMemory extends MemoryBackend {
  readonly #listeners = new Set<() => void>();
  /** Thrown by the next scans while it is set. */
  failure: Error | undefined;
  /** First position that is still stored, as if retention had removed what is below. */
  oldest = 1;
  /** Answers about the head wait for this. */
  answering: Promise<void> = Promise.resolve();
  scans = 0;

  override wake(listener?: () => void): () => void {
    if (listener === undefined) return () => undefined;
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  wakeAll(): void {
    for (const listener of this.#listeners) listener();
  }

  override async head(options: { at?: string } = {}): Promise<Head> {
    await this.answering;
    return { ...(await super.head(options)), oldest: this.oldest };
  }

  override async *scan(
    filter: Parameters<Backend['scan']>[0],
    options: { signal: AbortSignal },
  ): AsyncGenerator<EventBlock> {
    this.scans += 1;
    for await (const block of super.scan(filter, options)) {
      if (this.failure !== undefined) throw this.failure;
      yield block;
    }
  }
}

/** One service, as far as streams are concerned, behind a real server. */
export interface Stage {
  readonly backend: Backend;
  readonly metrics: Metrics;
  readonly appender: GroupCommit;
  readonly feed: Feed;
  readonly port: number;
}

export async function openStage(
  t: Pick<Test, 'teardown'>,
  options: { backend?: Backend } & Pick<FeedOptions, 'timing' | 'ring'> = {},
): Promise<Stage> {
  const metrics = createMetrics();
  const backend = options.backend ?? new SharedMemory({ metrics });
  await backend.start();
  const appender = new GroupCommit(backend, { metrics });
  const feed = new Feed(backend, appender, { metrics, logger: pino({ level: 'silent' }), ...options });
  await feed.start();
  const server = createServer((incoming, response) => {
    const query = new URL(incoming.url ?? '/', 'http://stage').searchParams;
    const after = query.get('after');
    const filter = compileFilter(JSON.parse(query.get('filter') ?? '{}') as EventFilter);
    const framing = query.get('framing') === 'ndjson' ? 'ndjson' : 'sse';
    void (async () => {
      const recordedUpTo = query.get('recordedUpTo');
      const place = after === null ? 'now' : { after: Number(after) };
      const start = await feed.locate(recordedUpTo === null ? place : { recordedUpTo });
      const sink = await Connection.open(incoming, response, ['Content-Type', 'text/event-stream']);
      const live = query.get('live') !== 'false';
      if (sink !== undefined) feed.follow({ filter, start, live, framing, sink, instance: '/stream' });
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    await feed.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { backend, metrics, appender, feed, port: (server.address() as AddressInfo).port };
}

/** Appends events one by one, each a commit of its own unless `batch` says how many go together. */
export async function append(
  { appender }: Pick<Stage, 'appender'>,
  count: number,
  options: { batch?: number; make?: (index: number) => Parameters<typeof event>[0] } = {},
): Promise<void> {
  const { batch = 1, make = () => ({}) } = options;
  for (let done = 0; done < count; done += batch) {
    const events = Array.from({ length: Math.min(batch, count - done) }, (_, index) =>
      event(make(done + index)),
    );
    await appender.append(appendRequest({ events }));
  }
}

export interface StreamFrame {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A consumer with an independent parser of the event stream format. */
export class StreamClient {
  readonly frames: StreamFrame[] = [];
  readonly comments: string[] = [];
  readonly retries: number[] = [];
  /** How the stream came to an end; undefined while it lasts. */
  ending: 'ended' | 'cut' | undefined;
  response: IncomingMessage | undefined;
  text = '';
  #changed: (() => void) | undefined;
  readonly #abort: () => void;

  constructor(
    { port }: { port: number },
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
  ) {
    const outgoing = request({
      port,
      host: '127.0.0.1',
      path,
      headers,
      agent: false,
      method: body === undefined ? 'GET' : 'POST',
    });
    this.#abort = () => outgoing.destroy();
    const parser = createParser({
      onEvent: ({ event, id, data }) => {
        this.frames.push({ event, id, data: JSON.parse(data) as Record<string, unknown> });
      },
      onComment: (comment) => this.comments.push(comment),
      onRetry: (retry) => this.retries.push(retry),
    });
    outgoing.on('error', () => this.#end('cut'));
    outgoing.on('response', (response) => {
      this.response = response;
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        this.text += text;
        parser.feed(text);
        this.#changed?.();
      });
      response.on('error', () => this.#end('cut'));
      response.on('close', () => this.#end(response.complete ? 'ended' : 'cut'));
      this.#changed?.();
    });
    outgoing.end(body);
  }

  /** Positions of the events of the log, in the order in which they came. */
  get positions(): number[] {
    return this.events.map(({ position }) => position);
  }

  get events(): RecordedEvent[] {
    return this.frames.filter((frame) => frame.event === undefined).map(({ data }) => data as RecordedEvent);
  }

  named(event: string): StreamFrame[] {
    return this.frames.filter((frame) => frame.event === event);
  }

  get lastId(): string | undefined {
    return this.frames.findLast(({ id }) => id !== undefined)?.id;
  }

  /** Waits for a condition; fails after a time that no healthy machine needs. */
  async until(holds: (client: StreamClient) => boolean, what = 'the stream'): Promise<void> {
    const endMs = performance.now() + 60_000;
    while (!holds(this)) {
      if (performance.now() > endMs) throw new Error(`waited for ${what} in vain`);
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#changed = resolve;
        }),
        sleep(50),
      ]);
    }
  }

  close(): void {
    this.#abort();
  }

  #end(ending: 'ended' | 'cut'): void {
    this.ending ??= ending;
    this.#changed?.();
  }
}

export function follow(
  t: Test,
  stage: Stage,
  options: {
    after?: number;
    recordedUpTo?: string;
    filter?: EventFilter;
    live?: boolean;
    framing?: 'ndjson';
  } = {},
): StreamClient {
  const query = new URLSearchParams();
  if (options.recordedUpTo !== undefined) query.set('recordedUpTo', options.recordedUpTo);
  if (options.after !== undefined) query.set('after', `${options.after}`);
  if (options.filter !== undefined) query.set('filter', JSON.stringify(options.filter));
  if (options.live === false) query.set('live', 'false');
  if (options.framing !== undefined) query.set('framing', options.framing);
  const client = new StreamClient(stage, `/?${query}`);
  t.teardown(() => client.close());
  return client;
}

/** A consumer that sends its request and then never reads. */
export async function neverReading(t: Test, stage: { port: number }, path: string): Promise<Socket> {
  const socket = connect({ port: stage.port, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: stage\r\nAccept: text/event-stream\r\n\r\n`);
  return socket;
}

export function upTo(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

/** Waits for a condition that no event announces. */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`waited for ${what} in vain`);
    await sleep(10);
  }
}

export async function metric(metrics: Metrics, name: keyof Metrics, label?: string): Promise<number> {
  const found = metrics[name];
  if (!('get' in found)) throw new Error(`${name} is no metric`);
  const { values } = await found.get();
  return values
    .filter((value) => label === undefined || Object.values(value.labels).includes(label))
    .reduce((sum, { value }) => sum + value, 0);
}
