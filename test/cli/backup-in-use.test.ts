import path from 'node:path';
import t from 'tap';
import { openStarted } from '../helpers/backends.ts';
import { stele, temporaryFolder } from '../helpers/command-line.ts';

t.test('a backup of a store that its service has open says how it is made', async (t) => {
  const folder = path.join(temporaryFolder(t), 'data');
  await openStarted(t, `file:${folder}`);
  t.match(await stele(['backup', `file:${folder}`, `file:${folder}-backup`]), {
    code: 4,
    stdout: '',
    stderr: /in use by another process.*setting backups.*POST \/v1\/backups/s,
  });
});
