import { connect } from 'node:net';

const IMAGE = 'postgres:18-alpine';
const PASSWORD = 'stele';

/**
 * A PostgreSQL in a container, where a Docker daemon answers; undefined where none does or the image cannot be
 * had. The container is removed with the process that started it.
 */
export async function startPostgresContainer(): Promise<
  { url: string; stop(): Promise<unknown> } | undefined
> {
  if (!(await dockerAnswers())) return undefined;
  try {
    // Loaded only here: it takes half a second, which most runs have no use for.
    const { GenericContainer, Wait } = await import('testcontainers');
    const container = await new GenericContainer(IMAGE)
      .withEnvironment({ POSTGRES_PASSWORD: PASSWORD })
      .withCommand(['postgres', '-c', 'max_connections=200'])
      .withExposedPorts(5432)
      // The image starts the server twice: first to set it up.
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
      .start();
    const url = `postgres://postgres:${PASSWORD}@${container.getHost()}:${container.getMappedPort(5432)}/postgres`;
    return { url, stop: () => container.stop() };
  } catch (error) {
    process.stderr.write(`No PostgreSQL from Docker (${String(error)}), trying without.\n`);
    return undefined;
  }
}

/** Asks the daemon itself: a socket without a daemon behind it is common. */
function dockerAnswers(): Promise<boolean> {
  const address = endpoint(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
  if (address === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect(address);
    const settle = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(1000, () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('data', (chunk) => settle(chunk.toString().startsWith('HTTP/1.1 200')));
    socket.write('GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n');
  });
}

function endpoint(host: string): { path: string } | { host: string; port: number } | undefined {
  if (host.startsWith('unix://')) return { path: host.slice('unix://'.length) };
  if (!URL.canParse(host)) return undefined;
  const url = new URL(host);
  return { host: url.hostname, port: Number(url.port || 2375) };
}
