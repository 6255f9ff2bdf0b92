import type { Removal, RemoveOptions } from '../store.ts';
import { int4Array, int8Array, textArray } from './binary.ts';
import { type LogOptions, logged } from './records.ts';

/** Events of one transaction: short enough that nobody waits for its locks, and for what it leaves to vacuum. */
const STEP_EVENTS = 2000;

/**
 * Removes events through the functions of the schema, in transactions that each leave a log which is right: a row is
 * either an event with its tags, or the rest of a removed one with the same.
 *
 * The events are read first, because their terms follow from their bodies alone.
 */
export async function removeEvents(
  { after, upTo, positions, dropIndex }: Removal,
  options: LogOptions & RemoveOptions,
): Promise<number> {
  const { connections, schema, signal, reason, onProgress } = options;
  const chosen = positions === undefined ? undefined : new Set(positions);
  let removed = 0;
  let batch: { position: number; terms: readonly string[] }[] = [];
  const step = async () => {
    const last = batch.at(-1);
    if (last === undefined) return;
    const term: string[] = [];
    const termEvent: number[] = [];
    for (const [index, { terms }] of batch.entries()) {
      for (const one of terms) {
        term.push(one);
        termEvent.push(index + 1);
      }
    }
    const [row] = await connections.query(
      'removing events',
      `select ${schema}.remove_events($1, $2, $3, $4)`,
      [int8Array(batch.map(({ position }) => position)), textArray(term), int4Array(termEvent), reason],
    );
    removed += Number(row?.[0]);
    batch = [];
    await onProgress?.({ position: last.position, removed });
  };
  for await (const block of logged(rangeOf({ after, upTo }, positions), options)) {
    for (const event of block) {
      if (event.isRemoved === true || chosen?.has(event.position) === false) continue;
      batch.push(event);
      if (batch.length < STEP_EVENTS) continue;
      await step();
      if (signal.aborted) return removed;
    }
  }
  if (signal.aborted) return removed;
  await step();
  while (dropIndex === true && !signal.aborted) {
    const [row] = await connections.query(
      'dropping the index of removed events',
      `select ${schema}.drop_removed_index($1, $2, $3)`,
      [upTo, STEP_EVENTS, reason],
    );
    if (Number(row?.[0]) === 0) break;
    await onProgress?.({ position: upTo, removed });
  }
  if (positions === undefined && !signal.aborted) {
    await connections.query('emptying partitions', `select ${schema}.empty_partitions($1)`, [upTo]);
  }
  return removed;
}

/** The part of the range in which anything is to be removed. */
function rangeOf({ after, upTo }: { after: number; upTo: number }, positions: readonly number[] | undefined) {
  if (positions === undefined) return { after, upTo };
  return { after: Math.max(after, (positions[0] ?? 1) - 1), upTo: Math.min(upTo, positions.at(-1) ?? 0) };
}
