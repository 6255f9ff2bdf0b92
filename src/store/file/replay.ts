import { flat } from '../../model/flat.ts';
import { joinTerms } from './event-columns.ts';
import type { Entry, LogPlace } from './generation.ts';
import type { LogIndex } from './log-index.ts';
import { type DocumentState, type KeyState, readRecord } from './record.ts';
import { type Finding, findingOf } from './recovery.ts';
import { type ScannedLine, scanSegment } from './scan-segment.ts';
import type { SegmentFiles } from './segment-files.ts';

/** A segment in the order of the log. */
export interface Part {
  readonly segment: string;
  /** Absent when nobody knows: the chain goes on from the segment before. */
  readonly crcBefore: number | undefined;
  readonly after: number;
}

/** A log that has to be whole is not. */
export class DamageMet extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(`${finding.file}: ${finding.what}`);
    this.name = 'DamageMet';
    this.finding = finding;
  }
}

/** A generation that is written, and one that grows. */
const FULLNESS_MAX = 2;

/**
 * Teaches an index what the log holds behind the place that it knows. Damage is passed over and becomes a finding;
 * with `isWhole` the index learns of nothing behind it. Of what stands at `until` or behind it nothing is taken in.
 */
export class Replay {
  readonly findings: Finding[] = [];
  lastRecordedAt = '';
  readonly #files: SegmentFiles;
  readonly #index: LogIndex;
  readonly #turn: () => Promise<void>;
  readonly #types = new Map<string, string>();
  readonly #isWhole: boolean;
  readonly #until: LogPlace | undefined;
  #crc = 0;
  /** The oldest part of the index on its way out of memory, while the next is read. */
  #moving: Promise<void> | undefined;
  #entries: Entry[] = [];
  #terms: string[] = [];
  #documents: DocumentState[] = [];
  #keys: KeyState[] = [];

  constructor(
    files: SegmentFiles,
    index: LogIndex,
    { turn, isWhole, until }: { turn: () => Promise<void>; isWhole: boolean; until?: LogPlace },
  ) {
    this.#files = files;
    this.#index = index;
    this.#turn = turn;
    this.#isWhole = isWhole;
    this.#until = until;
  }

  /**
   * @throws Error when the first record behind the place does not continue it; DamageMet with `isWhole`.
   */
  async run(parts: readonly Part[], place: LogPlace | undefined): Promise<void> {
    try {
      let from = place;
      for (const part of parts) {
        if (from !== undefined && part.segment !== from.segment) continue;
        await this.#replay(part, from);
        if (part.segment === this.#until?.segment) break;
        from = undefined;
      }
      await this.#moving;
    } finally {
      await this.#moving?.catch(() => undefined);
    }
  }

  async #replay(part: Part, place: LogPlace | undefined): Promise<void> {
    const from = place ?? { offset: 0, crc: part.crcBefore ?? this.#crc, position: part.after };
    const scan = scanSegment(this.#files, part.segment, from);
    let { offset, position } = from;
    for (;;) {
      let step: Awaited<ReturnType<typeof scan.next>>;
      try {
        step = await scan.next();
      } catch (error) {
        const what = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
        this.#meet({ file: part.segment, offset, position: position + 1, what });
        return;
      }
      if (step.done) {
        const { damages, crc } = step.value;
        this.#crc = crc;
        if (place !== undefined && damages.some(({ offset }) => offset === place.offset)) {
          throw new Error('the log does not go on where the index ends');
        }
        for (const damage of damages) this.#meet(findingOf(part.segment, damage));
        return;
      }
      for (const line of step.value) {
        if (part.segment === this.#until?.segment && line.place.offset >= this.#until.offset) return;
        if (line.place.offset !== offset) {
          if (place?.offset === offset) throw new Error('the log does not go on where the index ends');
          // The scan tells of it at its end; an index that is kept may not learn of this line before.
          const what = 'the record does not agree with its checksum';
          if (this.#isWhole) this.#meet({ file: part.segment, offset, position: position + 1, what });
        }
        offset = line.place.offset + line.place.length;
        ({ position } = line.head);
        this.#take(line);
      }
      if (this.#index.fullness > FULLNESS_MAX) await this.#moving;
      if (this.#index.fullness > 1) this.#move();
    }
  }

  #move(): void {
    if (this.#moving !== undefined) return;
    const moving = this.#index.move({ all: false, turn: this.#turn }).then(() => {
      this.#moving = undefined;
    });
    // Whoever waits for it next is told.
    moving.catch(() => undefined);
    this.#moving = moving;
  }

  #meet(finding: Finding): void {
    if (this.#isWhole) throw new DamageMet(finding);
    this.findings.push(finding);
  }

  #take({ head, text, place, crc }: ScannedLine): void {
    const record = readRecord(text, head);
    switch (record.kind) {
      case 'event': {
        const { position, type, recordedAt, terms, isRemoved } = record.event;
        const { segment, offset, length, before } = place;
        const id = flat(record.event.id);
        const timestamp = flat(record.event.timestamp);
        this.#entries.push({
          position,
          id,
          type: this.#name(type),
          timestamp,
          segment,
          offset,
          length,
          before,
          ...(isRemoved && { isRemoved }),
        });
        this.#terms.push(joinTerms(type, terms));
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
    this.#index.add(
      {
        entries: this.#entries,
        terms: this.#terms,
        recordedAt: this.lastRecordedAt,
        documents: this.#documents,
        keys: this.#keys,
      },
      end,
    );
    this.#entries = [];
    this.#terms = [];
    this.#documents = [];
    this.#keys = [];
  }

  /** The same string for the same type, so that an entry holds no line for the sake of it. */
  #name(type: string): string {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    const name = flat(type);
    this.#types.set(name, name);
    return name;
  }

  #tell(recordedAt: string): void {
    if (recordedAt > this.lastRecordedAt) this.lastRecordedAt = recordedAt;
  }
}
