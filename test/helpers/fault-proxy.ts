import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A TCP proxy between the service and its database that breaks the connection where it hurts most.
 *
 * Two ways to do harm:
 *
 * - `weather` holds for every connection: `clear` passes everything on, `stalled` holds all bytes back (they flow
 *   again when it clears), `gone` breaks what is open and refuses what is new.
 * - `trap` waits for one request whose bytes match, and breaks that one at a chosen moment. The database may have
 *   committed by then or not; that is the point.
 */
export type Weather = 'clear' | 'stalled' | 'gone';

/** What happens to a trapped request: the moment at which it loses its connection, or a wait. */
export type Moment =
  /** The request does not reach the database. */
  | 'before-request'
  /** Half of the request does. */
  | 'amid-request'
  /** The request reaches the database, the connection breaks at once on both sides. */
  | 'after-request'
  /** The database has answered; the answer is lost. */
  | 'before-answer'
  /** Half of the answer arrives. */
  | 'amid-answer'
  /** The request reaches the database, which loses nothing; the client hears nothing any more, without an end. */
  | 'silence';

interface Trap {
  readonly pattern: RegExp;
  readonly moment: Moment | 'held';
  /** Told when a request has stepped into the trap. `release` lets go of one that is held. */
  readonly sprung: (release: () => void) => void;
}

const CLOSING_MS = 2000;

export class FaultProxy {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #connections = new Set<Connection>();
  #traps: Trap[] = [];
  #weather: Weather = 'clear';

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(target: { host: string; port: number }): Promise<FaultProxy> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server, target);
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy is not listening.');
    return address.port;
  }

  /** The same URL, by way of the proxy. */
  via(url: string): string {
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String(this.port);
    return through.href;
  }

  get weather(): Weather {
    return this.#weather;
  }

  set weather(weather: Weather) {
    this.#weather = weather;
    for (const connection of this.#connections) {
      if (weather === 'gone') connection.reset();
      else connection.hold(weather === 'stalled');
    }
  }

  /** Breaks every connection there is; new ones are made at once. */
  cut(): void {
    for (const connection of this.#connections) connection.reset();
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Waits for a request that matches and breaks it; resolves when that has happened. */
  trap(pattern: RegExp, moment: Moment): Promise<void> {
    return new Promise((resolve) => {
      this.#traps.push({ pattern, moment, sprung: () => resolve() });
    });
  }

  /** Waits for a request that matches and holds it back; resolves with the way to let it go. */
  hold(pattern: RegExp): Promise<() => void> {
    return new Promise((resolve) => {
      this.#traps.push({ pattern, moment: 'held', sprung: resolve });
    });
  }

  /** Takes away the traps that nothing has stepped into. */
  disarm(): void {
    this.#traps = [];
  }

  /** Breaks every connection and refuses new ones. A socket whose end Node never tells of is not waited for long. */
  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const connection of this.#connections) connection.reset();
    await Promise.race([closed, sleep(CLOSING_MS)]);
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.#weather === 'gone') {
      client.resetAndDestroy();
      return;
    }
    const connection = new Connection(client, connect({ ...this.#target, noDelay: true }), (request) =>
      this.#sprung(request),
    );
    this.#connections.add(connection);
    connection.closed.then(() => this.#connections.delete(connection));
    connection.hold(this.#weather === 'stalled');
  }

  #sprung(request: Buffer): Trap | undefined {
    if (this.#traps.length === 0) return undefined;
    // The name of a prepared statement stands near the start of what is sent.
    const head = request.toString('latin1', 0, 4096);
    const at = this.#traps.findIndex((trap) => trap.pattern.test(head));
    return at === -1 ? undefined : this.#traps.splice(at, 1)[0];
  }
}

/** One connection of the service and its counterpart at the database. */
class Connection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly closed: Promise<void>;
  #isReset = false;
  /** What is to happen to the next answer. */
  #answerFate: ((answer: Buffer) => void) | undefined;

  constructor(client: Socket, server: Socket, sprung: (request: Buffer) => Trap | undefined) {
    this.#client = client;
    this.#server = server;
    for (const socket of [client, server]) {
      socket.on('error', () => undefined);
    }
    client.on('data', (request) => {
      const trap = sprung(request);
      if (trap === undefined) this.#forward(request);
      else this.#harm(trap, request);
    });
    server.on('data', (answer) => {
      if (this.#answerFate !== undefined) this.#answerFate(answer);
      else if (!client.destroyed && !client.write(answer)) {
        server.pause();
        client.once('drain', () => server.resume());
      }
    });
    client.on('close', () => server.end());
    server.on('close', () => {
      if (!this.#isReset) client.destroy();
    });
    // Not `events.once`, which rejects at the first error, when the other side may still be open.
    this.closed = new Promise((resolve) => {
      let open = 2;
      for (const socket of [client, server]) {
        socket.once('close', () => {
          open -= 1;
          if (open === 0) resolve();
        });
      }
    });
  }

  hold(stalled: boolean): void {
    for (const socket of [this.#client, this.#server]) {
      if (stalled) socket.pause();
      else socket.resume();
    }
  }

  reset(): void {
    this.#resetClient();
    this.#server.destroy();
  }

  /**
   * Node loses the handle of a socket that is destroyed while it is reset, or reset while its FIN is on the way, and
   * never closes it; such a one must not keep the process alive either.
   */
  #resetClient(): void {
    if (this.#isReset) return;
    this.#client.unref();
    if (this.#client.writableEnded) this.#client.destroy();
    else {
      this.#isReset = true;
      this.#client.resetAndDestroy();
    }
  }

  #forward(request: Buffer): void {
    if (!this.#server.write(request)) {
      this.#client.pause();
      this.#server.once('drain', () => this.#client.resume());
    }
  }

  #harm({ moment, sprung }: Trap, request: Buffer): void {
    switch (moment) {
      case 'before-request':
        this.reset();
        sprung(nothing);
        return;
      case 'amid-request':
        this.#breakAfter(request.subarray(0, request.length >>> 1));
        sprung(nothing);
        return;
      case 'after-request':
        this.#breakAfter(request);
        sprung(nothing);
        return;
      case 'before-answer':
      case 'amid-answer':
        this.#answerFate = (answer) => {
          this.#answerFate = () => undefined;
          if (moment === 'amid-answer') this.#client.write(answer.subarray(0, answer.length >>> 1));
          this.#client.end();
          this.#client.destroySoon();
          this.#server.destroy();
          sprung(nothing);
        };
        this.#forward(request);
        return;
      case 'silence':
        this.#answerFate = () => undefined;
        this.#forward(request);
        sprung(nothing);
        return;
      case 'held':
        this.#client.pause();
        sprung(() => {
          this.#forward(request);
          this.#client.resume();
        });
        return;
      default:
        moment satisfies never;
    }
  }

  /** Sends the last bytes to the database, which reads them before it finds the end, and drops the client. */
  #breakAfter(last: Buffer): void {
    this.#server.end(last);
    this.#resetClient();
  }
}

function nothing(): void {}
