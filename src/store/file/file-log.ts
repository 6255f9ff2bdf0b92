import type { Head, LoggedEvent } from '../store.ts';
import { INDEX_FILE, listSegments } from './folder.ts';
import { isIndexAsNoted } from './index-sum.ts';
import { FolderLock } from './lock.ts';
import { readManifest } from './manifest.ts';
import { readRecord } from './record.ts';
import { type Finding, findingOf, partsOf } from './recovery.ts';
import type { Part } from './replay.ts';
import { type SegmentSummary, scanSegment } from './scan-segment.ts';
import { SegmentFiles } from './segment-files.ts';
import { isTornTail } from './tail.ts';

/** A log as its segments say it. */
export interface FileLog {
  /** What a start would have to answer for. */
  readonly findings: readonly Finding[];
  /** What a start puts right by itself, and is no damage. */
  readonly notes: readonly string[];
  head(): Promise<Head>;
  records(
    range: { readonly after: number; readonly upTo: number },
    options: { signal: AbortSignal },
  ): AsyncIterable<readonly LoggedEvent[]>;
}

/**
 * Reads a folder for those who look what is in it. A start puts right what it finds, which is not for them: it cuts a
 * torn tail off, and builds an index anew that is not what it was. So this reads the segments alone, and writes nothing;
 * not even the file of the lock where there is none.
 *
 * @throws StoreError STORAGE_UNAVAILABLE when a store has the folder: its segments change while they are read.
 */
export async function withFileLog<T>(
  { folder, indexing }: { folder: string; indexing: boolean },
  work: (log: FileLog) => Promise<T>,
): Promise<T> {
  const lock = FolderLock.takeIfThere(folder);
  const files = new SegmentFiles(folder);
  try {
    const manifest = (await readManifest(folder)) ?? { sealed: [], open: undefined };
    const parts = partsOf(manifest, await listSegments(folder));
    const { head, findings, notes } = await goThrough(files, parts);
    if (indexing && !(await isIndexAsNoted(folder, { isKept: true }))) {
      const what = 'is not what it was at the last stop; the next start builds it anew';
      findings.push({ file: INDEX_FILE, offset: 0, position: 0, what });
    }
    return await work({
      findings,
      notes,
      head: async () => head,
      records: (range, options) => recordsOf(files, parts, { ...range, ...options }),
    });
  } finally {
    await files.close();
    lock?.release();
  }
}

async function goThrough(
  files: SegmentFiles,
  parts: readonly Part[],
): Promise<{ head: Head; findings: Finding[]; notes: string[] }> {
  const findings: Finding[] = [];
  const notes: string[] = [];
  let crc = 0;
  let position = 0;
  let oldest: number | undefined;
  let removed = 0;
  for (const part of parts) {
    const scan = scanSegment(files, part.segment, startOf(part, crc));
    let summary: SegmentSummary;
    for (;;) {
      const { done, value } = await scan.next();
      if (done) {
        summary = value;
        break;
      }
      for (const { head } of value) {
        if (head.kind === 'e') oldest ??= head.position;
        if (head.kind === 'r') removed = head.position;
      }
    }
    const { size, end, damages } = summary;
    ({ crc } = summary);
    position = Math.max(position, end.position);
    if (end.offset === size) continue;
    if (await isTornTail(files, part.segment, summary)) {
      notes.push(
        `The last write was cut short and never answered: ${part.segment} from offset ${end.offset}. A start cuts it off.`,
      );
    } else findings.push(...damages.map((damage) => findingOf(part.segment, damage)));
  }
  return {
    head: { position, oldest: Math.min(oldest ?? position + 1, position + 1), removed },
    findings,
    notes,
  };
}

async function* recordsOf(
  files: SegmentFiles,
  parts: readonly Part[],
  { after, upTo, signal }: { after: number; upTo: number; signal: AbortSignal },
): AsyncGenerator<readonly LoggedEvent[]> {
  let crc = 0;
  for (const part of parts) {
    const scan = scanSegment(files, part.segment, startOf(part, crc));
    for (;;) {
      if (signal.aborted) return;
      const { done, value } = await scan.next();
      if (done) {
        ({ crc } = value);
        break;
      }
      const events: LoggedEvent[] = [];
      for (const { head, text } of value) {
        if (head.position <= after || head.position > upTo) continue;
        const record = readRecord(text, head);
        if (record.kind === 'event') events.push(record.event);
      }
      yield events;
    }
  }
}

function startOf({ crcBefore, after }: Part, crc: number) {
  return { offset: 0, crc: crcBefore ?? crc, position: after };
}
