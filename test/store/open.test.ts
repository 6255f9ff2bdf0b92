import { pino } from 'pino';
import t from 'tap';
import { createMetrics } from '../../src/metrics.ts';
import { openBackend, schemes } from '../../src/store/open.ts';

const options = () => ({ metrics: createMetrics(), logger: pino({ level: 'silent' }) });

t.test('the schemes are those that can be opened', async (t) => {
  t.strictSame(schemes(), ['postgres', 'postgresql', 'embedded', 'file', 'memory']);
});

t.test('a URL opens the backend of its scheme, and nothing is connected before the start', async (t) => {
  const names: [string, string][] = [
    ['postgres://nobody:secret@203.0.113.1/none', 'postgres'],
    ['postgresql://nobody@203.0.113.1/none?schema=other', 'postgres'],
    ['embedded:/nowhere/at/all', 'embedded'],
    ['file:/nowhere/at/all', 'file'],
    ['memory:', 'memory'],
  ];
  for (const [url, name] of names) {
    const backend = await openBackend(url, options());
    t.equal(backend.name, name, url);
    await backend.stop();
  }
});

t.test('a URL that no backend takes is refused with the schemes there are', async (t) => {
  const known = 'postgres:, postgresql:, embedded:, file:, memory:';
  const refused: [string, RegExp | string][] = [
    ['mysql://localhost/db', `No store is behind mysql: URLs. Use one of ${known}.`],
    ['constructor:', `No store is behind constructor: URLs. Use one of ${known}.`],
    ['', `The store URL does not begin with a scheme. Use one of ${known}.`],
    ['localhost/db', /does not begin with a scheme/],
    ['/var/lib/stele', /does not begin with a scheme/],
    ['memory:elsewhere', /Write memory: alone/],
    ['file:', /needs a folder on this machine/],
    ['file://host/folder', /needs a folder on this machine/],
    ['file:./data?maxFiles=1', /whole number from 2/],
    ['file:./data?maxFiles=3&maxSize=2048', /maxSize of at least 65536/],
    ['file:./data?maxsize=3', /has no parameter maxsize/],
    ['file:./data?maxSize=3', /whole number of bytes from 1024/],
    ['file:./data?compression=zip', /one of gzip, none/],
  ];
  for (const [url, message] of refused) {
    await t.rejects(openBackend(url, options()), { code: 'VALIDATION_FAILED', message }, url);
  }
});

t.test('no message shows a password', async (t) => {
  for (const url of [
    'mysql://me:secret@host/db',
    'postgres://me:secret@host/db?poolSize=none',
    'memory:secret',
  ]) {
    try {
      await openBackend(url, options());
      t.fail(url);
    } catch (error) {
      t.notMatch(String(error), /me:secret/, url);
    }
  }
});
