import { createInterface } from 'node:readline';
import t from 'tap';
import { createClient } from '../../src/client/index.ts';
import { startStele, temporaryFolder } from '../helpers/command-line.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

t.test('tail goes on where it stopped when the service was killed and is back', async (t) => {
  const service = await ServiceProcess.start(`embedded:${temporaryFolder(t)}/pg`);
  // Not killed: its database would be left behind.
  t.teardown(async () => {
    await service.terminate();
    await service.stop();
  });
  const client = createClient({ url: service.origin });
  const child = startStele(['tail', '--after', '0'], { env: { STELE_URL: service.origin } });
  t.teardown(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await output.next()).value ?? 'null');

  await client.append({ type: 'BEFORE', data: {} });
  t.match(await next(), { type: 'BEFORE', position: 1 });
  await service.kill();
  await service.restart();
  await client.append({ type: 'AFTER', data: {} });
  t.match(await next(), { type: 'AFTER', position: 2 }, 'nothing missing, nothing twice');
  t.match(stderr, /Trying again/);
});
