import type { EventIndex } from './event-index.ts';
import type { LogPlace } from './generation.ts';
import { type DocumentState, type KeyState, readRecord } from './record.ts';
import { type Finding, findingOf } from './recovery.ts';
import { type ScannedLine, scanSegment } from './scan-segment.ts';
import type { SegmentFiles } from './segment-files.ts';
import type { LoadedEntry } from './writer.ts';

/** A segment in the order of the log. */
export interface Part {
  readonly segment: string;
  /** Absent when nobody knows: the chain goes on from the segment before. */
  readonly crcBefore: number | undefined;
  readonly after: number;
}

/** Teaches an index what the log holds behind the place that it knows. */
export class Replay {
  readonly findings: Finding[] = [];
  lastRecordedAt = '';
  readonly #files: SegmentFiles;
  readonly #index: EventIndex;
  readonly #turn: () => Promise<void>;
  #crc = 0;
  #entries: LoadedEntry[] = [];
  #documents: DocumentState[] = [];
  #keys: KeyState[] = [];

  constructor(files: SegmentFiles, index: EventIndex, turn: () => Promise<void>) {
    this.#files = files;
    this.#index = index;
    this.#turn = turn;
  }

  /** @throws Error when the first record behind the place does not continue it. */
  async run(parts: readonly Part[], place: LogPlace | undefined): Promise<void> {
    let from = place;
    for (const part of parts) {
      if (from !== undefined && part.segment !== from.segment) continue;
      await this.#replay(part, from);
      from = undefined;
    }
  }

  async #replay(part: Part, place: LogPlace | undefined): Promise<void> {
    const from = place ?? { offset: 0, crc: part.crcBefore ?? this.#crc, position: part.after };
    const scan = scanSegment(this.#files, part.segment, from);
    for (;;) {
      let step: Awaited<ReturnType<typeof scan.next>>;
      try {
        step = await scan.next();
      } catch (error) {
        const what = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
        this.findings.push({ file: part.segment, offset: 0, position: part.after + 1, what });
        return;
      }
      if (step.done) {
        const { damages, crc } = step.value;
        this.#crc = crc;
        if (place !== undefined && damages.some(({ offset }) => offset === place.offset)) {
          throw new Error('the log does not go on where the index ends');
        }
        for (const damage of damages) this.findings.push(findingOf(part.segment, damage));
        return;
      }
      for (const line of step.value) this.#take(line);
      if (this.#index.isFull) await this.#index.move({ all: false, turn: this.#turn });
    }
  }

  #take({ head, text, place, crc }: ScannedLine): void {
    const record = readRecord(text, head);
    switch (record.kind) {
      case 'event': {
        const { position, id, type, timestamp, recordedAt } = record.event;
        this.#entries.push({ ...place, position, id, type, timestamp, event: record.event });
        this.#tell(recordedAt);
        break;
      }
      case 'document':
        this.#documents.push(record.document);
        this.#tell(record.document.updatedAt);
        break;
      case 'key':
        this.#keys.push(record.key);
        break;
      default:
        record satisfies never;
    }
    if (!head.isLast) return;
    const end = { segment: place.segment, offset: place.offset + place.length, crc, position: head.position };
    this.#index.add({ entries: this.#entries, documents: this.#documents, keys: this.#keys }, end);
    this.#entries = [];
    this.#documents = [];
    this.#keys = [];
  }

  #tell(recordedAt: string): void {
    if (recordedAt > this.lastRecordedAt) this.lastRecordedAt = recordedAt;
  }
}
