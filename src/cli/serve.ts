import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import type { Service } from '../../routes/context.ts';
import { type Config, loadConfig } from '../config.ts';
import { ConfigError } from '../config-error.ts';
import { LIMITS } from '../limits.ts';
import { type Command, EXIT } from './command.ts';
import { settingsHelp } from './settings-help.ts';

export const command: Command = {
  summary: 'run the service',

  help: () => `Usage: stele serve [settings]

Runs the service until SIGTERM or SIGINT, then answers what it has accepted, ends the streams and closes the store,
within ${LIMITS.shutdownMs / 1000} seconds. A second signal ends it at once. SIGHUP reads the keys file again.

Examples:
  stele serve
  stele serve --store postgres://stele@db.example/stele --port 8080
  STELE_STORE=memory: stele serve

${settingsHelp()}`,

  run: (argv) => serve(loadConfig({ argv })),
};

/** Runs the service until a signal stops it. Returns the exit code. */
export async function serve(config: Config): Promise<number> {
  const logger = pino({ level: config.logLevel });
  const signal = stopSignal();
  let service: Service | undefined;
  // From the start on: without a listener the signal would end the process.
  const reload = () => service?.access.reload();
  process.on('SIGHUP', reload);
  let fail: (error: Error) => void = () => undefined;
  const failure = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  // All that serves is loaded here: help, and a configuration that is not valid, do without.
  const { buildApp, createService } = await import('../app.ts');
  service = await createService(config, { logger, onFatal: fail });
  const app = buildApp(service);
  let ended: NodeJS.Signals | Error;
  try {
    await app.listen({ host: config.host, port: config.port });
    const { address, port } = app.server.address() as AddressInfo;
    logger.info(
      {
        host: address,
        port,
        store: service.backend.name,
        logId: service.backend.logId,
        access: service.access.mode,
      },
      `listening on http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    );
    ended = await Promise.race([signal, failure]);
    logger.info(typeof ended === 'string' ? { signal: ended } : { err: ended }, 'stopping');
  } catch (error) {
    await app.close();
    throw unusableAddress(config, error) ?? error;
  }
  const late = setTimeout(() => {
    logger.error({ afterMs: LIMITS.shutdownMs }, 'stopping took too long; ending now');
    process.exit(EXIT.failure);
  }, LIMITS.shutdownMs);
  await app.close();
  clearTimeout(late);
  process.off('SIGHUP', reload);
  logger.info('stopped');
  // Whoever watches the process starts it anew, and the store recovers.
  return typeof ended === 'string' ? EXIT.ok : EXIT.failure;
}

/** What is wrong with the address to listen on, in the words of the configuration. */
function unusableAddress({ host, port }: Config, error: unknown): ConfigError | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return new ConfigError([
        `port = ${port}: another process listens on ${host}:${port}. Choose another port.`,
      ]);
    case 'EACCES':
      return new ConfigError([`port = ${port}: the process may not listen on it. Choose one above 1023.`]);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ConfigError([`host = "${host}": is no address of this machine.`]);
    default:
      return undefined;
  }
}

/** The first signal asks to stop; the handlers then go, so that a second one ends the process as usual. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      resolve(signal);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}
