import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { builtService } from './service-build.ts';

/** Processes that a failing test may leave; they die with the one that made them. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * The service as a process of its own, to be killed. It keeps its port over restarts, so that clients find it
 * again, and runs in an empty folder, so that no configuration of the machine has a say.
 */
export class ServiceProcess {
  readonly port: number;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(
    place: { port: number; folder: string },
    environment: Readonly<Record<string, string>>,
  ) {
    this.port = place.port;
    this.#folder = place.folder;
    this.#environment = environment;
  }

  /** Starts a service on a store and waits until it is ready. `environment` adds to its `STELE_` variables. */
  static async start(
    store: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ServiceProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'stele-service-'));
    const service = new ServiceProcess(
      { port: await freePort(), folder },
      { STELE_STORE: store, STELE_LOG_LEVEL: 'warn', ...environment },
    );
    await service.restart();
    return service;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('The service is not running.');
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All that it wrote, over all its lives. */
  get output(): string {
    return this.#output;
  }

  /** Starts it again, as after `kill`, and waits until it is ready. */
  async restart(): Promise<void> {
    this.launch();
    await this.ready();
  }

  launch(): void {
    if (this.isRunning) throw new Error('The service is running already.');
    const child = spawn(process.execPath, [builtService(), 'serve'], {
      cwd: this.#folder,
      env: {
        PATH: process.env['PATH'],
        HOME: this.#folder,
        STELE_HOST: '127.0.0.1',
        STELE_PORT: String(this.port),
        ...this.#environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        // A service that is being tormented complains a lot.
        this.#output = (this.#output + text).slice(-200_000);
      });
    }
    this.#child = child;
  }

  /** Waits until it says that it is ready. */
  async ready(timeoutMs = 60_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (!this.isRunning)
        throw new Error(`The service ended instead of getting ready:\n${this.output.slice(-4000)}`);
      const ready = await fetch(`${this.origin}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return;
      if (Date.now() > deadline)
        throw new Error(`The service does not get ready:\n${this.output.slice(-4000)}`);
      await sleep(20);
    }
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM, and SIGKILL after a while; gives the exit code, null when it had to be killed. */
  async terminate(timeoutMs = 15_000): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    await this.#end('SIGTERM');
    clearTimeout(late);
    return child.exitCode;
  }

  /** Ends it for good and removes its folder. Idempotent. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return address.port;
}
