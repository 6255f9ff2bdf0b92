import type { TypeSummary } from '../store.ts';
import type { Columns } from './event-columns.ts';
import type { Generation, KnownKey, LogPlace } from './generation.ts';
import type { DocumentState } from './record.ts';

/** A generation in parts, as it travels to the thread that writes it. */
export type GenerationPart = EventsPart | RestPart;

export interface EventsPart {
  readonly kind: 'events';
  readonly columns: Columns;
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

export function* partsOf(
  generation: Generation,
  { end, lastId }: Pick<RestPart, 'end' | 'lastId'>,
): Generator<GenerationPart> {
  for (const columns of generation.columns) yield { kind: 'events', columns };
  const { documents, keys, recordedAt } = generation;
  yield {
    kind: 'rest',
    documents: [...documents.values()],
    keys: [...keys.values()],
    types: [...generation.countTypes().values()],
    recordedAt,
    end,
    lastId: generation.lastId > lastId ? generation.lastId : lastId,
  };
}
