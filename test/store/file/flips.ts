import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import { fill, open, openSegment, segments } from './stage.ts';

/**
 * Flips bits, one at a time, in every byte of a small store with compressed, sealed and open segments. Gives those
 * that are not found, or not located: named with their file, and not behind their place.
 */
export async function flipBits(
  bitsOf: (at: number) => readonly number[],
): Promise<{ flips: number; missed: string[] }> {
  const where = await mkdtemp(join(tmpdir(), 'stele-flips-'));
  try {
    for (const compression of ['gzip', 'none']) {
      const backend = await open(where, `?maxSize=1500&compression=${compression}`);
      await fill(backend, 2);
      while (compression === 'gzip' && !(await hasKind(where, '.gz'))) await new Promise(setImmediate);
      await backend.stop();
    }
    const names = [...(await segments(where)), 'manifest.json', 'log.json'];
    const last = basename(await openSegment(where));
    const missed: string[] = [];
    let flips = 0;
    for (const name of names) {
      const file = join(where, name);
      const bytes = await readFile(file);
      // The last byte of the log may be on its way while the files are looked at.
      const end = bytes.length - (name === last ? 1 : 0);
      for (let at = 0; at < end; at += 1) {
        for (const bit of bitsOf(at)) {
          const flipped = Buffer.from(bytes);
          flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
          await writeFile(file, flipped);
          const isLocated = (await verifyFiles(where)).some(
            (finding) => name.startsWith(finding.file) && finding.offset <= textOffset(name, at),
          );
          if (!isLocated) missed.push(`bit ${bit} of byte ${at} of ${name}`);
          flips += 1;
        }
      }
      await writeFile(file, bytes);
    }
    const findings = await verifyFiles(where);
    if (findings.length > 0) throw new Error(`It is not as before: ${JSON.stringify(findings)}`);
    return { flips, missed };
  } finally {
    await rm(where, { recursive: true, force: true });
  }
}

/** Where the text of a byte begins: a compressed segment is blocks of the text, and these segments have one. */
function textOffset(name: string, at: number): number {
  return name.endsWith('.gz') ? 0 : at;
}

async function hasKind(where: string, kind: string): Promise<boolean> {
  return (await segments(where)).some((name) => name.endsWith(kind));
}
