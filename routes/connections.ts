import type { Server } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';

/**
 * The connections of the server and how many requests are under way on each: what an orderly end has to know.
 *
 * `server.close()` of Node destroys idle keep-alive connections at once. A request that is on the wire at that
 * moment meets a reset, and its client cannot know whether it was carried out. So only the port closes at first:
 * connections that exist are served on, every answer now ends its connection, and those that stay idle for a
 * moment are ended by us, with a FIN.
 *
 * The port closes before anything else changes: an answer that ends its connection makes the client connect again,
 * and to a port that is still open it would, over and over. The kernel resets whoever connects between our last look
 * and the end of the port; all that can be done about it is that hardly anybody connects at this moment.
 */
const UNDER_WAY = Symbol('requests under way');
type Tracked = Socket & { [UNDER_WAY]?: number };

const POLL_MS = 5;
const SHORT_TURN_MS = 1;
/** A service under load has few short turns. */
const HEARD_MS = 400;

export class Connections {
  readonly #sockets = new Set<Tracked>();
  #accepted = 0;

  track(server: Server): void {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** A request arrived on this connection. */
  begin(socket: Tracked): void {
    // A connection to the second address of `localhost` belongs to a server that nobody tracks.
    if (socket[UNDER_WAY] === undefined) this.#add(socket);
    socket[UNDER_WAY] = (socket[UNDER_WAY] ?? 0) + 1;
  }

  /** Its answer was sent, or its client has gone. */
  end(socket: Tracked): void {
    socket[UNDER_WAY] = (socket[UNDER_WAY] ?? 1) - 1;
  }

  /** Requests without an answer yet. Those of connections that broke do not count. */
  get underWay(): number {
    let sum = 0;
    for (const socket of this.#sockets) sum += socket[UNDER_WAY] ?? 0;
    return sum;
  }

  /** Waits until every request is answered; false when that took too long. */
  async answered(timeoutMs: number): Promise<boolean> {
    return waitUntil(() => this.underWay === 0, timeoutMs);
  }

  /** Takes no new connections. Those that wait to be accepted are accepted first. */
  async closePort(server: Server): Promise<void> {
    await this.#heard();
    // The method of the HTTP server would close what is idle as well.
    if (server.listening) NetServer.prototype.close.call(server);
  }

  /** Lets clients close by themselves for a while, ends what is idle then, and cuts what is left after that. */
  async closeAll(options: { lingerMs: number; finMs: number }): Promise<void> {
    if (await waitUntil(() => this.#sockets.size === 0, options.lingerMs)) return;
    await this.#heard();
    for (const socket of this.#sockets) if (socket[UNDER_WAY] === 0) socket.end();
    if (await waitUntil(() => this.#sockets.size === 0, options.finMs)) return;
    for (const socket of this.#sockets) socket.destroy();
  }

  /**
   * Waits until what has arrived is known: for a turn of the event loop in which nobody was accepted, for it accepts one
   * in a turn, and which was short, so that hardly anything can have come since it looked. A timer is called before it
   * looks, and a signal behind it: so the turn that called us does not count, and after a long one connections with a
   * request in them would pass for idle.
   */
  async #heard(): Promise<void> {
    const endMs = performance.now() + HEARD_MS;
    await setImmediate();
    for (;;) {
      const accepted = this.#accepted;
      const startedMs = performance.now();
      await setImmediate();
      const nowMs = performance.now();
      if ((accepted === this.#accepted && nowMs - startedMs < SHORT_TURN_MS) || nowMs > endMs) return;
    }
  }

  #add(socket: Tracked): void {
    socket[UNDER_WAY] = 0;
    this.#accepted += 1;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

async function waitUntil(holds: () => boolean, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() >= endMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}
