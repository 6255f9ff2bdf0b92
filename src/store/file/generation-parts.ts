import type { TypeSummary } from '../store.ts';
import type { Entry, Generation, KnownKey, LogPlace } from './generation.ts';
import type { DocumentState } from './record.ts';

/**
 * A generation in parts, as it travels to the thread that writes it: in columns, which are copied in a fourth of the time
 * that as many objects take.
 */
export type GenerationPart = EventsPart | RestPart;

export interface EventsPart {
  readonly kind: 'events';
  readonly positions: Float64Array;
  readonly ids: readonly string[];
  readonly types: readonly string[];
  readonly timestamps: readonly string[];
  readonly segments: readonly string[];
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  readonly befores: Float64Array;
  readonly removed: Uint8Array;
  /** As `joinTerms` makes them. */
  readonly terms: readonly string[];
}

/** What comes last. */
export interface RestPart {
  readonly kind: 'rest';
  readonly documents: readonly DocumentState[];
  readonly keys: readonly KnownKey[];
  readonly types: readonly TypeSummary[];
  readonly recordedAt: string;
  /** Everything before it is in the index with this generation. */
  readonly end: LogPlace;
  /** The greatest id of the index with this generation. */
  readonly lastId: string;
}

/** Layers of postings that are to become one, between two generations. */
export interface MergePart {
  readonly kind: 'merge';
  readonly layers: readonly number[];
}

/** Events that are put together in one turn of the event loop. */
const EVENTS = 1500;

export function* partsOf(
  generation: Generation,
  { end, lastId }: Pick<RestPart, 'end' | 'lastId'>,
): Generator<GenerationPart> {
  const { entries, terms, documents, keys, recordedAt } = generation;
  for (let at = 0; at < entries.length; at += EVENTS) {
    yield eventsPart(entries.slice(at, at + EVENTS), terms.slice(at, at + EVENTS));
  }
  yield {
    kind: 'rest',
    documents: [...documents.values()],
    keys: [...keys.values()],
    types: [...generation.countTypes().values()],
    recordedAt,
    end,
    lastId: entries.reduce((greatest, { id }) => (id > greatest ? id : greatest), lastId),
  };
}

function eventsPart(entries: readonly Entry[], terms: readonly string[]): EventsPart {
  return {
    kind: 'events',
    positions: Float64Array.from(entries, ({ position }) => position),
    ids: entries.map(({ id }) => id),
    types: entries.map(({ type }) => type),
    timestamps: entries.map(({ timestamp }) => timestamp),
    segments: entries.map(({ segment }) => segment),
    offsets: Float64Array.from(entries, ({ offset }) => offset),
    lengths: Float64Array.from(entries, ({ length }) => length),
    befores: Float64Array.from(entries, ({ before }) => before),
    removed: Uint8Array.from(entries, ({ isRemoved }) => (isRemoved ? 1 : 0)),
    terms,
  };
}
