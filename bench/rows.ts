/** The table: what is measured, what it is divided by, what is required and what would be good. */
export interface Row {
  readonly measured: string;
  readonly dividedBy: string;
  readonly unit: 'ratio' | 'ms' | 's' | 'MB' | 'MiB' | 'events/s';
  /** `least`: as much as this or more; `most`: as much as this or less. */
  readonly bound: 'least' | 'most';
  readonly required: number;
  readonly goal: number;
}

export const ROWS = {
  'append-null': {
    measured: 'POST /v1/events, one event a request, 64 connections, 1M events stored',
    dividedBy: 'the same server, same validation, a handler that stores nothing',
    unit: 'ratio',
    bound: 'least',
    required: 0.45,
    goal: 0.65,
  },
  'append-insert': {
    measured: 'the same',
    dividedBy: 'one INSERT a request, pool of 10, sequence, same indexes',
    unit: 'ratio',
    bound: 'least',
    required: 2.5,
    goal: 4,
  },
  'append-rate': {
    measured: 'the same, absolute',
    dividedBy: '–',
    unit: 'events/s',
    bound: 'least',
    required: 10_000,
    goal: 12_000,
  },
  'append-tail': {
    measured: 'p99 at 64 connections',
    dividedBy: 'p50',
    unit: 'ratio',
    bound: 'most',
    required: 4,
    goal: 3,
  },
  conditional: {
    measured: 'conditional append, one condition near the head, 64 connections',
    dividedBy: 'the same append without a condition',
    unit: 'ratio',
    bound: 'least',
    required: 0.8,
    goal: 0.95,
  },
  registry: {
    measured: 'POST /v1/events of types with a schema that is enforced and a lifecycle, 64 connections',
    dividedBy: 'the same append where nothing is registered',
    unit: 'ratio',
    bound: 'least',
    required: 0.85,
    goal: 0.9,
  },
  'schema-bombs': {
    measured: 'p99 of appends over 8 connections while schemas and events come that were made to take long',
    dividedBy: 'p99 of the same appends without them',
    unit: 'ratio',
    bound: 'most',
    required: 2,
    goal: 1.5,
  },
  partitions: {
    measured: '64 conditions without `after` on 8 partitions',
    dividedBy: 'on 1 partition',
    unit: 'ratio',
    bound: 'least',
    required: 0.8,
    goal: 0.95,
  },
  'hot-boundary': {
    measured: '64 clients on one boundary, read-decide-append, successes/s',
    dividedBy: 'one such client alone',
    unit: 'ratio',
    bound: 'least',
    required: 0.3,
    goal: 0.6,
  },
  batch: {
    measured: 'batch of 100, 4 connections',
    dividedBy: 'COPY of the same rows into the same tables and indexes',
    unit: 'ratio',
    bound: 'least',
    required: 0.6,
    goal: 0.8,
  },
  large: {
    measured: 'appends with 10M events stored',
    dividedBy: 'with 100k stored',
    unit: 'ratio',
    bound: 'least',
    required: 0.85,
    goal: 0.95,
  },
  queries: {
    measured: 'slowest p95 of every filter member, two combined, count, aggregate, each order; 1M events',
    dividedBy: '–',
    unit: 'ms',
    bound: 'most',
    required: 100,
    goal: 20,
  },
  ndjson: {
    measured: 'NDJSON of 1M events',
    dividedBy: 'COPY … TO STDOUT of the same',
    unit: 'ratio',
    bound: 'least',
    required: 0.75,
    goal: 0.9,
  },
  'sse-replay': {
    measured: 'SSE replay of 1M events',
    dividedBy: 'the same COPY',
    unit: 'ratio',
    bound: 'least',
    required: 0.65,
    goal: 0.8,
  },
  'fan-out': {
    measured: 'SSE fan-out to 1,000 consumers, commits of 10 events, deliveries/s',
    dividedBy: 'one stringify and one write for each consumer and event',
    unit: 'ratio',
    bound: 'least',
    required: 10,
    goal: 15,
  },
  import: {
    measured: 'stele import of 1M events over HTTP',
    dividedBy: 'COPY of the same rows into the same tables',
    unit: 'ratio',
    bound: 'least',
    required: 0.4,
    goal: 0.6,
  },
  'file-append': {
    measured: 'file store: one event a request, 64 connections, 1M events stored',
    dividedBy: 'the same server, same validation, a handler that stores nothing',
    unit: 'ratio',
    bound: 'least',
    required: 0.6,
    goal: 0.85,
  },
  'file-batch': {
    measured: 'file store: batch of 100, 4 connections',
    dividedBy: 'write and fdatasync of the same bytes, batch by batch',
    unit: 'ratio',
    bound: 'least',
    required: 0.4,
    goal: 0.6,
  },
  'file-conditional': {
    measured: 'file store: conditional append, one condition near the head, 64 connections',
    dividedBy: 'the same append without a condition',
    unit: 'ratio',
    bound: 'least',
    required: 0.9,
    goal: 0.95,
  },
  'file-rebuild': {
    measured: 'file store: start without an index, 1M events',
    dividedBy: '–',
    unit: 's',
    bound: 'most',
    required: 30,
    goal: 20,
  },
  'file-start': {
    measured: 'file store: start with a good index, 1M events',
    dividedBy: '–',
    unit: 's',
    bound: 'most',
    required: 2,
    goal: 1,
  },
  'file-size': {
    measured: 'file store: files of 1,000 compressed events of 600 bytes, without the index',
    dividedBy: '–',
    unit: 'MB',
    bound: 'most',
    required: 1,
    goal: 0.4,
  },
  'file-tag-page': {
    measured: 'file store: p99 of a page of 100 by a tag, from anywhere in 1M events',
    dividedBy: '–',
    unit: 'ms',
    bound: 'most',
    required: 20,
    goal: 10,
  },
  'file-memory': {
    measured:
      'file store: most memory held while starting, paging and appending, beyond maxMemorySize; 5M events',
    dividedBy: '–',
    unit: 'MiB',
    bound: 'most',
    required: 256,
    goal: 160,
  },
  'peer-dcb-append': {
    measured: 'single-event append over HTTP, 64 connections',
    dividedBy: 'dcb-es 7.0.1, in process, pool 10',
    unit: 'ratio',
    bound: 'least',
    required: 3,
    goal: 6,
  },
  'peer-dcb-conditional': {
    measured: 'conditional append over HTTP, 64 connections',
    dividedBy: 'the conditional append of dcb-es',
    unit: 'ratio',
    bound: 'least',
    required: 5,
    goal: 10,
  },
  'peer-emmett-append': {
    measured: 'single-event append over HTTP, 64 connections',
    dividedBy: 'emmett-postgresql 0.42.0, in process, pool 10',
    unit: 'ratio',
    bound: 'least',
    required: 3,
    goal: 5,
  },
} as const satisfies Record<string, Row>;

export type RowName = keyof typeof ROWS;
export type Verdict = 'goal' | 'required' | 'below';

/** What one row came to, with what it was computed from. */
export interface Finding {
  readonly row: RowName;
  readonly value: number;
  /** Medians and samples behind the value, for the JSON file and for whoever doubts it. */
  readonly figures: Readonly<Record<string, unknown>>;
}

export function verdictOn(row: Row, value: number): Verdict {
  const reaches = (bound: number) => (row.bound === 'least' ? value >= bound : value <= bound);
  if (reaches(row.goal)) return 'goal';
  return reaches(row.required) ? 'required' : 'below';
}
