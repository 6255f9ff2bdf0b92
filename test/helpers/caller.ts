import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { setImmediate } from 'node:timers/promises';

/** What a server said. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A call that was not answered. `reached` is false when the server cannot have seen it. */
export class NoAnswer extends Error {
  readonly reached: boolean;

  constructor(cause: unknown, reached: boolean) {
    super(cause instanceof Error ? cause.message : 'no answer', { cause });
    this.name = 'NoAnswer';
    this.reached = reached;
  }
}

/**
 * HTTP by node:http with kept-alive connections: as little as possible between a test and the wire, and
 * honest about the difference between "not sent" and "not answered", which fetch does not tell.
 */
export class Caller {
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  constructor(options: { timeoutMs?: number; connections?: number } = {}) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 256 });
    this.#timeoutMs = options.timeoutMs ?? 20_000;
  }

  async call(
    origin: string,
    path: string,
    { method = 'GET', headers = {}, body }: Call = {},
  ): Promise<Answer> {
    // A process that was not given the CPU for a while has to see first which of its connections were ended meanwhile.
    await setImmediate();
    return await new Promise((resolve, reject) => {
      let reached = false;
      const fail = (error: unknown): void => reject(new NoAnswer(error, reached));
      const json =
        body === undefined || 'content-type' in headers ? {} : { 'content-type': 'application/json' };
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const sent = request(
        origin + path,
        { method, agent: this.#agent, headers: { ...json, ...length, ...headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', fail);
          response.on('aborted', () => fail(new Error('the answer broke off')));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(chunks).toString('utf8'),
            }),
          );
        },
      );
      sent.on('socket', (socket) => {
        // A socket that is connecting has carried nothing; one that was kept may have.
        if (!socket.connecting) reached = true;
        else socket.once('connect', () => (reached = true));
      });
      sent.on('error', fail);
      sent.setTimeout(this.#timeoutMs, () => sent.destroy(new Error('timed out')));
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
