import { stat } from 'node:fs/promises';
import path from 'node:path';
import { textSum } from './compress.ts';
import { disk } from './disk.ts';
import { fileSum } from './file-sum.ts';
import { listSegments, removeFile } from './folder.ts';
import type { Manifest, SealedSegment } from './manifest.ts';
import type { Finding } from './recovery.ts';
import type { SegmentFiles } from './segment-files.ts';

interface Settling {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly findings: Finding[];
}

/** Compares the files with the manifest, and finishes what a compression or a rotation left undone. */
export async function settleSegments(
  files: SegmentFiles,
  { folder, manifest, findings }: Settling,
): Promise<void> {
  const found = new Map((await listSegments(folder)).map((file) => [file.segment, file]));
  for (const sealed of manifest.sealed) {
    const { file, size, first, compressedSize } = sealed;
    const there = found.get(file);
    const broken = (what: string) => findings.push({ file, offset: 0, position: first, what });
    found.delete(file);
    if (there === undefined) broken('is missing');
    else if (compressedSize === undefined) {
      if (there.plainSize === undefined) broken('is missing');
      else if (there.plainSize !== size) broken(`has ${there.plainSize} bytes instead of ${size}`);
      else if (there.gzipSize !== undefined) await settlePair(files, { folder, sealed, broken });
    } else if (there.gzipSize === undefined) broken('is missing in its compressed form');
    else if (there.gzipSize !== compressedSize) {
      broken(`has ${there.gzipSize} compressed bytes instead of ${compressedSize}`);
    } else if (there.plainSize !== undefined) await settlePair(files, { folder, sealed, broken });
  }
  if (manifest.open !== undefined) {
    const { file, after, durableSize = 0 } = manifest.open;
    const there = found.get(file);
    found.delete(file);
    if (there?.plainSize === undefined)
      findings.push({ file, offset: 0, position: after + 1, what: 'is missing' });
    else if (there.plainSize < durableSize) {
      const what = `has ${there.plainSize} bytes, and had ${durableSize} when the store was stopped`;
      findings.push({ file, offset: there.plainSize, position: after + 1, what });
    }
  }
  const isKnown = manifest.open !== undefined || manifest.sealed.length > 0;
  for (const { segment, plainSize, gzipSize } of found.values()) {
    if (!isKnown) continue;
    if (plainSize === 0 && gzipSize === undefined) await removeFile(path.join(folder, segment));
    else findings.push({ file: segment, offset: 0, position: 0, what: 'is not in the manifest' });
  }
}

/**
 * Of a segment that is there in both forms, as a kill leaves it, the one that the manifest does not mean goes: but only
 * when the other is right to the last bit, for it is the only one from then on. Else both stay, and the one that is
 * right is served.
 */
async function settlePair(
  files: SegmentFiles,
  options: { folder: string; sealed: SealedSegment; broken(what: string): void },
): Promise<void> {
  const { folder, sealed, broken } = options;
  const { file, sha256, compressedSize, compressedSha256 } = sealed;
  const compressed = `${file}.gz`;
  const isWhole = async (name: string, sum: string | undefined) =>
    sum !== undefined && (await fileSum(path.join(folder, name)).catch(() => undefined)) === sum;
  const isPlainMeant = compressedSize === undefined;
  const isRight = isPlainMeant ? await isWhole(file, sha256) : await isWhole(compressed, compressedSha256);
  if (isRight) {
    await removeFile(path.join(folder, isPlainMeant ? compressed : file));
    return;
  }
  if (isPlainMeant) {
    // Nobody noted the sum of the compressed form, so what it inflates to has to tell.
    const isOther = (await inflatedSum(path.join(folder, compressed)).catch(() => undefined)) === sha256;
    if (isOther) files.preferCompressed(file);
    broken(
      isOther
        ? `has another SHA-256 than the manifest says; ${compressed} is whole and is served`
        : `has another SHA-256 than the manifest says, and ${compressed} does not inflate to it either`,
    );
    return;
  }
  broken(
    (await isWhole(file, sha256))
      ? `is whole and is served, but its compressed form ${compressed} has another SHA-256 than the manifest says`
      : `and its compressed form ${compressed} both have another SHA-256 than the manifest says`,
  );
}

async function inflatedSum(file: string): Promise<string> {
  const { size } = await stat(file);
  const fd = await disk.open(file, 'r');
  try {
    return await textSum(fd, size);
  } finally {
    await disk.close(fd);
  }
}
