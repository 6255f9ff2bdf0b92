import type { EventFilter } from '../model/filter.ts';
import type { PatchOperation } from '../model/json-value.ts';
import type { Transport } from './transport.ts';

export interface StateOptions {
  /** Which events belong to the aggregate. Not needed where its snapshots say so. */
  readonly filter?: EventFilter | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An aggregate as it was at a position. */
export interface State {
  readonly aggregateId: string;
  readonly position: number;
  /** The snapshot that it is made from; null for none. */
  readonly snapshotVersion: number | null;
  /** How many events were merged into that. */
  readonly folded: number;
  /** The merged `data` (RFC 7396); null before the first event. */
  readonly state: unknown;
}

export interface StateDiff {
  readonly aggregateId: string;
  readonly from: Pick<State, 'position' | 'snapshotVersion'>;
  readonly to: Pick<State, 'position' | 'snapshotVersion'>;
  /** A JSON Patch (RFC 6902); `before` is what stood at the place. */
  readonly patch: readonly PatchOperation[];
}

export async function readState(
  transport: Transport,
  aggregateId: string,
  { at, filter, signal }: StateOptions & { at?: number | string | undefined },
): Promise<State> {
  const path = pathOf(aggregateId, 'state', { at, reduce: 'merge' }, filter);
  return (await transport.json<State>({ method: 'GET', path, signal })).body;
}

export async function readStateDiff(
  transport: Transport,
  aggregateId: string,
  { from, to, filter, signal }: StateOptions & { from: number | string; to?: number | string | undefined },
): Promise<StateDiff> {
  const path = pathOf(aggregateId, 'diff', { from, to }, filter);
  return (await transport.json<StateDiff>({ method: 'GET', path, signal })).body;
}

function pathOf(
  aggregateId: string,
  what: 'state' | 'diff',
  moments: Readonly<Record<string, number | string | undefined>>,
  filter: EventFilter = {},
): string {
  const parameters = new URLSearchParams();
  const add = (name: string, value: string | number) => parameters.append(name, String(value));
  for (const [name, value] of Object.entries(moments)) if (value !== undefined) add(name, value);
  const { items, tags = {}, ...members } = filter;
  if (items !== undefined) add('items', JSON.stringify(items));
  for (const [key, value] of Object.entries(tags)) {
    for (const one of [value].flat()) add('tags', `${key}:${one}`);
  }
  for (const [name, value] of Object.entries(members)) for (const one of [value ?? []].flat()) add(name, one);
  return `/v1/aggregates/${encodeURIComponent(aggregateId)}/${what}?${parameters}`;
}
