import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import { decide, event } from '../../helpers/requests.ts';
import { contentOf, folder, open } from './stage.ts';

const MIB = 1024 * 1024;

/** Makes a disk of a few mebibytes; only root may. */
function mounted(at: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', at], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

t.test(
  'a full disk refuses appends, keeps what was stored, and takes them again when there is space',
  async (t) => {
    const disk = await folder(t);
    if (!mounted(disk)) return t.comment('a small disk cannot be mounted here');
    // Lazily: SQLite closes its file when the statements on it have been collected.
    t.teardown(() => execFileSync('umount', ['-l', disk]));
    const where = join(disk, 'data');
    await mkdir(where);
    const backend = await open(where);
    await writeFile(join(disk, 'ballast'), Buffer.alloc(2 * MIB));
    const large = () => event({ data: { text: 'x'.repeat(20_000) } });
    let stored = 0;
    const fillUp = async () => {
      for (;;) {
        await decide(backend, { events: [large(), large()] });
        stored += 2;
      }
    };
    await t.rejects(fillUp(), { code: 'READ_ONLY', retryAfterSeconds: 5 });
    t.match(await backend.health(), { ready: true, checks: { file: { ok: false, detail: /full/ } } });
    t.equal(
      (await backend.head()).position,
      stored,
      'reads work, and nothing of the refused request is there',
    );
    await rm(join(disk, 'ballast'));
    // Shorter than what the write that failed may have left.
    t.match(await decide(backend, { events: [event()] }), { kind: 'stored', firstPosition: stored + 1 });
    t.match(await backend.health(), { checks: { file: { ok: true } } });
    const content = await contentOf(backend);
    await backend.stop();
    t.strictSame(await verifyFiles(where), []);
    const again = await open(where);
    t.strictSame(await contentOf(again), content);
    await again.stop();
  },
);
