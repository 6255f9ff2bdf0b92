import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Frame, Subscription } from './audit-history.ts';
import type { AuditQuery, LoggedEvent } from './audit-index.ts';

/**
 * A subscriber that writes down everything it is sent, and comes back by its id whenever the connection ends,
 * be it by the server's death, by the server's decision or by its own mood. The transcript goes on over all its
 * connections, so that what is lost or repeated at a seam shows.
 */
export class Subscriber {
  readonly name: string;
  readonly #query: AuditQuery;
  readonly #after: number;
  readonly #origin: () => string;
  readonly #frames: Frame[] = [];
  readonly #stopping = new AbortController();
  /** Frames that are none of a healthy stream: `gap`, `problem`, refusals. */
  readonly complaints: string[] = [];
  #lastId: string | undefined;
  #reached: number;
  #connections = 0;
  #break: (() => void) | undefined;
  #running: Promise<void> | undefined;

  /** @param options.origin asked at each connection, so that a subscriber can move between processes. */
  constructor(options: { name: string; query: AuditQuery; after?: number; origin: () => string }) {
    this.name = options.name;
    this.#query = options.query;
    this.#after = options.after ?? 0;
    this.#reached = this.#after;
    this.#origin = options.origin;
  }

  start(): void {
    this.#running = this.#follow();
  }

  /** Ends the connection at hand; the next one resumes. */
  interrupt(): void {
    this.#break?.();
  }

  /** The last position of which it is known that all up to it was sent. */
  get reached(): number {
    return this.#reached;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Waits until the stream has got to a position; false when it did not in time. */
  async waitFor(position: number, timeoutMs = 20_000): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (this.#reached < position) {
      if (performance.now() > deadline) return false;
      await sleep(20);
    }
    return true;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#break?.();
    await this.#running;
  }

  transcript(complete: boolean): Subscription {
    return { name: this.name, query: this.#query, after: this.#after, frames: this.#frames, complete };
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#connect();
      await sleep(20, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One connection, until it ends in whatever way. */
  #connect(): Promise<void> {
    return new Promise((resolve) => {
      const resume: Record<string, string> =
        this.#lastId === undefined ? {} : { 'last-event-id': this.#lastId };
      const sent = request(`${this.#origin()}/v1/events/stream`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...resume },
        agent: false,
      });
      this.#break = () => {
        // What comes in after this belongs to nobody: the next connection asks for it again.
        sent.destroy();
        resolve();
      };
      sent.on('error', () => resolve());
      sent.on('response', (response) => {
        response.on('error', () => resolve());
        response.on('close', () => resolve());
        if (response.statusCode !== 200) {
          // 503 while the store is away is what a stream may say; anything else is a finding.
          if (response.statusCode !== 503) this.complaints.push(`refused with ${response.statusCode}`);
          response.resume();
          return;
        }
        this.#connections += 1;
        const parser = createParser({ onEvent: (message) => this.#take(message) });
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          if (!sent.destroyed) parser.feed(text);
        });
      });
      const { items } = this.#query;
      sent.end(JSON.stringify({ ...(items === undefined ? {} : { items }), after: this.#after }));
    });
  }

  #take({ event, id, data }: EventSourceMessage): void {
    if (id !== undefined) this.#lastId = id;
    if (event === undefined) {
      const stored = JSON.parse(data) as LoggedEvent;
      if (id !== String(stored.position)) this.complaints.push(`the id of ${stored.position} is ${id}`);
      this.#frames.push({ kind: 'event', event: stored, at: performance.now() });
      this.#reached = stored.position;
    } else if (event === 'caught-up' || event === 'checkpoint') {
      const { position } = JSON.parse(data) as { position: number };
      if (id !== String(position)) this.complaints.push(`the id of ${event} at ${position} is ${id}`);
      this.#frames.push({ kind: 'bookmark', position });
      this.#reached = Math.max(this.#reached, position);
    } else if (event !== 'shutdown' && event !== 'problem') {
      this.complaints.push(`${event} ${data}`);
    }
  }
}
