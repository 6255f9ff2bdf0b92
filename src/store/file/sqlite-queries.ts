import type { DocumentQuery, StoredDocument, TypeSummary } from '../store.ts';
import { type Entry, typeKey } from './generation.ts';
import type { RestPart } from './generation-parts.ts';
import type { Connection } from './sqlite-connection.ts';
import type { PostingRun } from './sqlite-postings.ts';

/** Questions to the index that take more than one step, or a statement of their own. */
export function documentsOf(
  connection: Connection,
  { collection, key, from, to, descending, limit }: DocumentQuery,
): StoredDocument[] {
  const where = ['collection = ?'];
  const values: string[] = [collection];
  const bound = (condition: string, value: string | undefined) => {
    if (value === undefined) return;
    where.push(condition);
    values.push(value);
  };
  bound('key = ?', key);
  bound('key >= ?', from);
  bound('key < ?', to);
  const found = connection.rows(
    `SELECT key, revision, updatedAt, body FROM documents WHERE ${where.join(' AND ')} ORDER BY key ${descending === true ? 'DESC' : 'ASC'} LIMIT ?`,
    ...values,
    limit,
  );
  return (found as unknown as [string, number, string, string][]).map(
    ([name, revision, updatedAt, body]) => ({
      collection,
      key: name,
      revision,
      body,
      updatedAt,
    }),
  );
}

/** The part of the index that knows the events of a type. */
interface TypeIndex {
  readonly upTo: number;
  entry(position: number): Entry | undefined;
  runs(term: string, target: number, limit: number, direction: 'asc' | 'desc'): PostingRun[];
}

/** Takes `gone` events off the count of a type, and looks up its first and last. */
export function recountType(
  index: TypeIndex,
  connection: Connection,
  { type, gone, oldest }: { type: string; gone: number; oldest: number },
): TypeSummary | undefined {
  const count = Number(connection.rows('SELECT count FROM types WHERE type = ?', type)[0]?.[0] ?? 0) - gone;
  const firstTimestamp = liveOf(index, type, { from: oldest, direction: 'asc' })?.timestamp ?? '';
  const lastTimestamp = liveOf(index, type, { from: index.upTo, direction: 'desc' })?.timestamp ?? '';
  connection.run(
    'UPDATE types SET count = ?, firstTimestamp = ?, lastTimestamp = ? WHERE type = ?',
    count,
    firstTimestamp,
    lastTimestamp,
    type,
  );
  return count > 0 ? { type, count, firstTimestamp, lastTimestamp } : undefined;
}

/** The first event of a type that is still there, by its positions: the events have no index on the type. */
function liveOf(
  index: TypeIndex,
  type: string,
  { from, direction }: { from: number; direction: 'asc' | 'desc' },
): Entry | undefined {
  const isAscending = direction === 'asc';
  for (let target = from; target >= 1; ) {
    const [run] = index.runs(typeKey(type), target, 1, direction);
    if (run === undefined) return undefined;
    for (const position of isAscending ? run.positions : run.positions.toReversed()) {
      if (isAscending ? position < target : position > target) continue;
      const entry = index.entry(position);
      if (entry !== undefined && entry.isRemoved !== true) return entry;
    }
    target = isAscending ? run.last + 1 : (run.positions[0] ?? 1) - 1;
  }
  return undefined;
}

/** What the documents and idempotency keys of a generation leave. */
export function takeDocumentsAndKeys(
  connection: Connection,
  { documents, keys, recordedAt }: Pick<RestPart, 'documents' | 'keys' | 'recordedAt'>,
): void {
  for (const { collection, key, revision, updatedAt, body } of documents) {
    if (body === null) {
      connection.run('DELETE FROM documents WHERE collection = ? AND key = ?', collection, key);
      continue;
    }
    connection.run(
      'INSERT OR REPLACE INTO documents (collection, key, revision, updatedAt, body) VALUES (?, ?, ?, ?, ?)',
      collection,
      key,
      revision,
      updatedAt,
      body,
    );
  }
  for (const { caller, key, hash, first, keptUntilMs } of keys) {
    connection.run(
      'INSERT OR REPLACE INTO keys (caller, key, hash, first, keptUntilMs) VALUES (?, ?, ?, ?, ?)',
      caller,
      key,
      hash,
      JSON.stringify(first),
      keptUntilMs,
    );
  }
  if (recordedAt !== '') connection.run('DELETE FROM keys WHERE keptUntilMs < ?', Date.parse(recordedAt));
}
