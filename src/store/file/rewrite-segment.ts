import { createHash } from 'node:crypto';
import path from 'node:path';
import { StoreError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { disk, syncFolder, writeAll } from './disk.ts';
import type { Entry } from './generation.ts';
import type { SealedSegment } from './manifest.ts';
import { type DocumentState, type LogRecord, RecordBuffer, readRecord } from './record.ts';
import { scanSegment } from './scan-segment.ts';
import type { SegmentFiles } from './segment-files.ts';

/** What a rewriting takes away, and what it has to know of the rest of the log. */
export interface Rewriting {
  isRemoved(position: number): boolean;
  isIndexDropped(position: number): boolean;
  /** A later record stands for the document. */
  isSuperseded(document: DocumentState): boolean;
  readonly nowMs: number;
}

export interface Rewritten {
  readonly sealed: SealedSegment;
  /** Every event of the segment as it stands now. */
  readonly entries: readonly Entry[];
  /** Where the ends of records have come to, by their old offsets. */
  readonly ends: ReadonlyMap<number, { readonly offset: number; readonly crc: number }>;
}

const FLUSH_BYTES = 1024 * 1024;

/**
 * Writes a sealed segment anew under another name, without the content of removed events.
 *
 * Of a removed event a record of its place, id and index terms stays, so that the index can be built from the
 * segments alone as ever. Documents that are still in force stay, and so do idempotency keys that are still kept.
 * The new file begins where the old one does in the chain of sums and has an end of its own: the segment behind it
 * says in the manifest which sum it continues.
 *
 * @throws StoreError STORAGE_ERROR when the segment is damaged: what cannot be read is not thrown away.
 */
export async function rewriteSegment(
  folder: string,
  files: SegmentFiles,
  { old, file, rewriting }: { old: SealedSegment; file: string; rewriting: Rewriting },
): Promise<Rewritten> {
  const fd = await disk.open(path.join(folder, file), 'wx', 0o640);
  try {
    const hash = createHash('sha256');
    const entries: Entry[] = [];
    const ends = new Map<number, { offset: number; crc: number }>();
    const buffer = new RecordBuffer();
    buffer.begin(old.crcBefore);
    let written = 0;
    let records = 0;
    const flush = async () => {
      const bytes = buffer.bytes();
      await writeAll(fd, bytes, written);
      hash.update(bytes);
      written += bytes.length;
      buffer.begin(buffer.crc);
    };
    ends.set(0, { offset: 0, crc: old.crcBefore });
    const from = { offset: 0, crc: old.crcBefore, position: Math.max(0, old.first - 1) };
    const scan = scanSegment(files, old.file, from);
    for (;;) {
      const { done, value } = await scan.next();
      if (done) {
        if (value.damages.length > 0 || value.size !== old.size) {
          throw new StoreError('STORAGE_ERROR', 'A segment is damaged, so nothing of it is removed.');
        }
        break;
      }
      for (const { head, text, place } of value) {
        const record = restOf(readRecord(text, head), rewriting);
        if (record !== undefined) {
          const offset = written + buffer.length;
          const before = buffer.crc;
          const length = buffer.add(record, { position: head.position, isLast: true });
          records += 1;
          if (record.kind === 'event') {
            const { position, id, type, timestamp, isRemoved } = record.event;
            const entry = { position, id, type, timestamp, segment: file, offset, length, before };
            entries.push(isRemoved ? { ...entry, isRemoved } : entry);
          }
        }
        ends.set(place.offset + place.length, { offset: written + buffer.length, crc: buffer.crc });
        if (buffer.length >= FLUSH_BYTES) await flush();
      }
    }
    await flush();
    await disk.sync(fd);
    await syncFolder(folder);
    const { compressedSize: _, compressedSha256: __, ...range } = old;
    const sealed = {
      ...range,
      file,
      sha256: hash.digest('hex'),
      size: written,
      records,
      crc: buffer.crc,
    };
    return { sealed, entries, ends };
  } finally {
    await disk.close(fd);
  }
}

/** What is left of a record; undefined when nobody needs it. */
function restOf(record: LogRecord, rewriting: Rewriting): LogRecord | undefined {
  switch (record.kind) {
    case 'event': {
      const { event } = record;
      if (!rewriting.isRemoved(event.position) && event.isRemoved !== true) return record;
      const { added: _, ...place } = event;
      const removed = { ...place, body: '', isRemoved: true } as const;
      const isDropped = rewriting.isIndexDropped(event.position);
      return { kind: 'event', event: isDropped ? { ...removed, type: '', terms: [] } : removed };
    }
    case 'document':
      // A deletion stands against whatever an older segment may still hold.
      return record.document.body !== null && rewriting.isSuperseded(record.document) ? undefined : record;
    case 'key': {
      const keptUntilMs = Date.parse(record.key.first.recordedAt) + LIMITS.idempotencyKeptHours * 3_600_000;
      return keptUntilMs < rewriting.nowMs ? undefined : record;
    }
    default:
      return record satisfies never;
  }
}
