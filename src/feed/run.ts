import { type StoredEvent, termsOf } from '../model/event.ts';
import { type Filter, matchesFilter } from '../model/filter.ts';
import { isSystemType } from '../model/query.ts';
import type { View } from '../model/view.ts';
import { frameEvent } from '../store/framing.ts';
import type { CommittedEvent } from '../store/group-commit.ts';
import type { Framing } from '../store/store.ts';
import { allocateChunk, type Frame, frameOf, joinSlices } from './frame.ts';

/** How the events of a stream are written. */
export interface Form {
  readonly framing: Framing;
  readonly view: View | undefined;
  /** Equal for forms in which every event is the same text. */
  readonly key: string;
}

export function formOf(framing: Framing, view: View | undefined): Form {
  return { framing, view, key: view === undefined ? framing : `${framing} ${view.key}` };
}

/** What of a run a stream is to be sent. */
export interface Selection {
  readonly frame: Frame;
  readonly count: number;
  /** Position of the last event in the frame. */
  readonly last: number;
}

/** The events of a run as text, all in one Buffer; `ends` are the offsets at which each ends. */
interface Rendering {
  readonly bytes: Buffer;
  readonly start: number;
  readonly ends: readonly number[];
  /** What a stream without a filter gets: everything but the system's own events. */
  readonly everything: Selection | undefined;
}

/**
 * A part of the log without a hole, as the tail keeps it: mostly one commit. It is rendered once for each form,
 * when the first stream wants it.
 */
export class Run {
  /** Position before the first; exclusive. */
  readonly after: number;
  /** Last position; inclusive. Positions between that have no event were removed from the log. */
  readonly through: number;
  readonly events: readonly CommittedEvent[];
  /** What the run is taken to cost in memory: the texts and one rendering of them. */
  readonly bytes: number;
  readonly #renderings = new Map<string, Rendering>();

  constructor(after: number, through: number, events: readonly CommittedEvent[]) {
    this.after = after;
    this.through = through;
    this.events = events;
    let bytes = 0;
    for (const event of events) bytes += 2 * (event.body.length + EVENT_OVERHEAD_BYTES);
    this.bytes = bytes;
  }

  everything(form: Form): Selection | undefined {
    return this.#rendering(form).everything;
  }

  slice(form: Form, index: number): Buffer {
    const { bytes, start, ends } = this.#rendering(form);
    return bytes.subarray(index === 0 ? start : ends[index - 1], ends[index]);
  }

  #rendering(form: Form): Rendering {
    let rendering = this.#renderings.get(form.key);
    if (rendering === undefined) {
      rendering = render(this.events, form);
      this.#renderings.set(form.key, rendering);
    }
    return rendering;
  }
}

/** Id, times, type and terms beside the body, roughly. */
const EVENT_OVERHEAD_BYTES = 200;

function render(events: readonly CommittedEvent[], { framing, view }: Form): Rendering {
  const texts = events.map((event) => frameEvent(event, framing, view));
  let size = 0;
  for (const text of texts) size += Buffer.byteLength(text);
  const { bytes, start } = allocateChunk(size);
  const ends: number[] = [];
  let at = start;
  for (const text of texts) {
    at += bytes.write(text, at);
    ends.push(at);
  }
  return { bytes, start, ends, everything: withoutSystem(events, bytes, start, ends) };
}

function withoutSystem(
  events: readonly CommittedEvent[],
  bytes: Buffer,
  start: number,
  ends: readonly number[],
): Selection | undefined {
  const slices: Buffer[] = [];
  let last = 0;
  for (const [index, event] of events.entries()) {
    if (isSystemType(event.type)) continue;
    slices.push(bytes.subarray(index === 0 ? start : ends[index - 1], ends[index]));
    last = event.position;
  }
  if (slices.length === 0) return undefined;
  const frame = slices.length === events.length ? frameOf(bytes) : joinSlices(slices);
  return { frame, count: slices.length, last };
}

/** Where a selection begins (exclusive) and ends (inclusive). */
export interface Span {
  readonly after: number;
  readonly until: number;
}

/**
 * What a stream is to be sent of some runs, as one frame; undefined when nothing matches. Without a filter, and
 * of a single run, it is the shared Buffer itself.
 */
export function select(
  runs: readonly Run[],
  form: Form,
  filter: Filter | undefined,
  span: Span,
): Selection | undefined {
  const slices: Buffer[] = [];
  let count = 0;
  let last = 0;
  let whole: Selection | undefined;
  for (const run of runs) {
    const isInside = run.after >= span.after && run.through <= span.until;
    if (filter === undefined && isInside) {
      whole = run.everything(form);
      if (whole === undefined) continue;
      slices.push(whole.frame.payload);
      count += whole.count;
      last = whole.last;
      continue;
    }
    for (const [index, event] of run.events.entries()) {
      if (event.position <= span.after || event.position > span.until) continue;
      if (filter === undefined ? isSystemType(event.type) : !matchesFilter(filter, event)) continue;
      slices.push(run.slice(form, index));
      count += 1;
      last = event.position;
    }
  }
  if (slices.length === 0) return undefined;
  if (slices.length === 1 && whole !== undefined && whole.count === count) return whole;
  return { frame: joinSlices(slices), count, last };
}

/** An event of another process, read from the store. Its terms are only parsed out if a filter asks for them. */
export class ReadEvent implements CommittedEvent {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly recordedAt: string;
  readonly body: string;
  #terms: readonly string[] | undefined;

  constructor({ position, id, type, timestamp, recordedAt, body }: StoredEvent) {
    this.position = position;
    this.id = id;
    this.type = type;
    this.timestamp = timestamp;
    this.recordedAt = recordedAt;
    this.body = body;
  }

  get terms(): readonly string[] {
    this.#terms ??= termsOf(this);
    return this.#terms;
  }
}
