import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * Many readers of a live stream in one process, each knowing only the last id it has seen. Together they read
 * into one buffer: a thousand readers that parse would be slower than the server they measure.
 */
export class Consumers {
  readonly #sockets: Socket[] = [];
  /** The last position that each has seen. */
  readonly seen: Float64Array;
  closed = 0;

  static async open(options: { port: number; path: string; count: number }): Promise<Consumers> {
    const consumers = new Consumers(options.count);
    for (let index = 0; index < options.count; index += 1) await consumers.#open(index, options);
    return consumers;
  }

  constructor(count: number) {
    this.seen = new Float64Array(count);
  }

  /** The position up to which every one has seen everything. */
  get slowest(): number {
    return this.seen.reduce((least, position) => Math.min(least, position), Number.MAX_SAFE_INTEGER);
  }

  get total(): number {
    return this.seen.reduce((sum, position) => sum + position, 0);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #open(index: number, { port, path }: { port: number; path: string }): Promise<void> {
    let rest = '';
    let begun = () => {};
    const answered = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const read = (bytes: number, buffer: Uint8Array): boolean => {
      begun();
      const chunk = Buffer.from(buffer.buffer, buffer.byteOffset, bytes);
      const id = lastId(chunk) ?? idAtSeam(rest, chunk);
      if (id !== undefined) this.seen[index] = id;
      rest = chunk.toString('latin1', Math.max(0, bytes - SEAM));
      return true;
    };
    const socket = connect({ port, host: '127.0.0.1', onread: { buffer: SHARED, callback: read } });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.closed += 1;
    });
    this.#sockets.push(socket);
    await once(socket, 'connect');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`);
    await answered;
  }
}

const SHARED = Buffer.alloc(262_144);
const SEAM = 32;
const ID = Buffer.from('\nid:');

function lastId(chunk: Buffer): number | undefined {
  const at = chunk.lastIndexOf(ID);
  if (at < 0) return undefined;
  const end = chunk.indexOf(10, at + ID.length);
  return end < 0 ? undefined : Number(chunk.toString('latin1', at + ID.length, end));
}

/** An id that was cut in two by the end of a read. */
function idAtSeam(rest: string, chunk: Buffer): number | undefined {
  const match = /\nid: ?(\d+)\n/.exec(rest + chunk.toString('latin1', 0, SEAM));
  return match === null ? undefined : Number(match[1]);
}
