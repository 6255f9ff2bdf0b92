import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LIMITS } from '../limits.ts';
import type { Frame } from './frame.ts';
import type { Sink, SinkListener } from './sink.ts';

/**
 * The sink that writes to an HTTP response.
 *
 * The head goes through the response; after that the frames, which are whole HTTP chunks, go straight to the
 * socket below it. `response.write` would frame the payload once for each stream again and send three buffers
 * where one does. Node leaves the socket alone until the response ends: it is ours as soon as it is assigned,
 * which for a pipelined request is after the answer before.
 *
 * Nothing is left in the queue of the socket beyond one piece, so that the time since the last piece was taken
 * says whether anyone reads.
 */
export class Connection implements Sink {
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  readonly #isChunked: boolean;
  #parts: Buffer[] = [];
  /** Bytes of the first part that have been handed over. */
  #offset = 0;
  #stalledSinceMs: number | undefined;
  #listener: SinkListener | undefined;
  #closed = false;

  /** Sends the head of the response at once. Undefined when the client has gone before. */
  static async open(
    request: IncomingMessage,
    response: ServerResponse,
    headers: readonly string[],
  ): Promise<Connection | undefined> {
    if (response.socket === null && !request.socket.destroyed) await assigned(request, response);
    const { socket } = response;
    if (socket === null || socket.destroyed) return undefined;
    response.writeHead(200, [...headers]);
    response.flushHeaders();
    socket.setNoDelay(true);
    // A peer that vanished without a word is noticed even where no comment is sent.
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return new Connection(response, socket);
  }

  private constructor(response: ServerResponse, socket: Socket) {
    this.#response = response;
    this.#socket = socket;
    this.#isChunked = response.chunkedEncoding;
    response.once('close', this.#onClose);
  }

  get stalledSinceMs(): number | undefined {
    return this.#stalledSinceMs;
  }

  listen(listener: SinkListener): void {
    this.#listener = listener;
    if (this.#closed) listener.closed();
  }

  write(frame: Frame): boolean {
    const parts = this.#isChunked ? frame.chunk : [frame.payload];
    const [first] = parts;
    const isSmall = parts.length === 1 && first !== undefined && first.length <= LIMITS.streamPieceBytes;
    if (isSmall && this.#parts.length === 0) {
      this.#hand(first);
    } else {
      this.#parts.push(...parts);
      this.#handPieces();
    }
    return this.#stalledSinceMs === undefined;
  }

  end({ close }: { close: boolean }): void {
    if (this.#closed) return;
    if (close) this.#response.once('finish', () => this.#socket.destroySoon());
    this.#response.end();
  }

  destroy(): void {
    this.#parts = [];
    // With a FIN the kernel would go on offering its send buffer, megabytes of it, to someone who does not read. But
    // Node loses a socket that is reset while its FIN is on the way: it never closes, and the process never ends.
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #hand(bytes: Buffer): void {
    const socket = this.#socket;
    if (!socket.writable) {
      // The client has closed its side; no answer will do.
      this.destroy();
      return;
    }
    socket.write(bytes, this.#onWritten);
    if (socket.writableLength > 0) this.#stalledSinceMs = performance.now();
  }

  /** Hands over the parts piece by piece, until one waits. */
  #handPieces(): void {
    const socket = this.#socket;
    while (this.#parts.length > 0 && this.#stalledSinceMs === undefined && !socket.destroyed) {
      let room: number = LIMITS.streamPieceBytes;
      socket.cork();
      for (let part = this.#parts[0]; part !== undefined && room > 0; part = this.#parts[0]) {
        const piece = part.subarray(this.#offset, this.#offset + room);
        this.#offset += piece.length;
        room -= piece.length;
        if (this.#offset === part.length) {
          this.#parts.shift();
          this.#offset = 0;
        }
        this.#hand(piece);
      }
      this.#stalledSinceMs = undefined;
      socket.uncork();
      if (socket.writableLength > 0) this.#stalledSinceMs = performance.now();
    }
  }

  readonly #onWritten = (): void => {
    if (this.#stalledSinceMs === undefined || this.#socket.writableLength > 0 || this.#closed) return;
    this.#stalledSinceMs = undefined;
    this.#handPieces();
    if (this.#stalledSinceMs === undefined) this.#listener?.drained();
  };

  readonly #onClose = (): void => {
    this.#closed = true;
    this.#parts = [];
    this.#listener?.closed();
  };
}

const KEEP_ALIVE_MS = 60_000;

/** Waits until the socket belongs to this response, or is gone. */
function assigned(request: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('socket', done);
      request.socket.off('close', done);
      resolve();
    };
    response.once('socket', done);
    request.socket.once('close', done);
  });
}
