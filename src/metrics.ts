import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { ERROR_CATALOGUE } from './errors.ts';

/**
 * Every metric's name, help and buckets. Names follow the Prometheus conventions: base units, `_total` for
 * counters, no unbounded label values. The catalogue is a value, not module state, so that two services in one
 * process (as in tests) count apart.
 */
const LATENCY_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'stele_' });
  // Gauges under the names of counters, which `promtool check metrics` refuses; the series by kind beside them stay.
  for (const kind of ['handles', 'requests', 'resources']) {
    registry.removeSingleMetric(`stele_nodejs_active_${kind}_total`);
  }
  const registers = [registry];
  const metrics = {
    registry,
    appendSeconds: new Histogram({
      name: 'stele_append_duration_seconds',
      help: 'Time from the arrival of an append to its verdict, by outcome (stored, replayed, passed or an error code).',
      labelNames: ['outcome'] as const,
      buckets: LATENCY_SECONDS,
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'stele_commit_duration_seconds',
      help: 'Time of one call to the store that commits a batch of appends.',
      buckets: LATENCY_SECONDS,
      registers,
    }),
    commitEvents: new Histogram({
      name: 'stele_commit_events',
      help: 'Events in one commit.',
      buckets: SIZES,
      registers,
    }),
    commitRequests: new Histogram({
      name: 'stele_commit_requests',
      help: 'Append requests decided in one call to the store.',
      buckets: SIZES,
      registers,
    }),
    deferredRequests: new Counter({
      name: 'stele_append_deferred_total',
      help: 'Append requests put off to the next batch, because they depend on one before them.',
      registers,
    }),
    eventsAppended: new Counter({
      name: 'stele_events_appended_total',
      help: 'Events stored by this process.',
      registers,
    }),
    conflicts: new Counter({
      name: 'stele_append_conflicts_total',
      help: 'Appends refused because a condition failed, by where that was decided (memory, store).',
      labelNames: ['decided'] as const,
      registers,
    }),
    duplicates: new Counter({
      name: 'stele_append_duplicates_total',
      help: 'Appends whose ids or Idempotency-Key were known, by result (replayed, refused).',
      labelNames: ['result'] as const,
      registers,
    }),
    failures: new Counter({
      name: 'stele_failures_total',
      help: 'Requests answered with an error, by code of the error catalogue.',
      labelNames: ['code'] as const,
      registers,
    }),
    queueEvents: new Gauge({
      name: 'stele_append_queue_events',
      help: 'Events that wait for a commit.',
      registers,
    }),
    queueAgeSeconds: new Gauge({
      name: 'stele_append_queue_age_seconds',
      help: 'Age of the oldest append that waits for a commit.',
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'stele_http_request_duration_seconds',
      help: 'Time of HTTP requests, streams excluded, by method, route and status code.',
      labelNames: ['method', 'route', 'status_code'] as const,
      buckets: LATENCY_SECONDS,
      registers,
    }),
    poolConnections: new Gauge({
      name: 'stele_store_connections',
      help: 'Connections to the database, by state (total, idle, waiting).',
      labelNames: ['state'] as const,
      registers,
    }),
    connectionErrors: new Counter({
      name: 'stele_store_connection_errors_total',
      help: 'Connections to the database that broke or could not be made.',
      registers,
    }),
    breakerOpen: new Gauge({
      name: 'stele_store_breaker_open',
      help: '1 while the circuit breaker keeps requests away from the database.',
      registers,
    }),
    readOnly: new Gauge({
      name: 'stele_store_read_only',
      help: '1 while the store takes no writes, unless it was opened with readOnly=true.',
      registers,
    }),
    clockRegressions: new Counter({
      name: 'stele_clock_regressions_total',
      help: 'Commits at which the clock of the store was behind the last recorded time.',
      registers,
    }),
    registryRevision: new Gauge({
      name: 'stele_registry_revision',
      help: 'Revision of the event types, schemas and rules that this process knows.',
      registers,
    }),
    schemaViolations: new Counter({
      name: 'stele_schema_violations_total',
      help: 'Events that do not satisfy the schema of their type, by enforcement (warn, enforce) and outcome (stored, refused).',
      labelNames: ['enforcement', 'outcome'] as const,
      registers,
    }),
    admissionRetries: new Counter({
      name: 'stele_append_registry_retries_total',
      help: 'Times that an append was looked at again because something was registered meanwhile.',
      registers,
    }),
    cacheHits: new Counter({
      name: 'stele_cache_hits_total',
      help: 'Answers from a cache, by cache (types, tags).',
      labelNames: ['cache'] as const,
      registers,
    }),
    cacheMisses: new Counter({
      name: 'stele_cache_misses_total',
      help: 'Answers that a cache did not hold, by cache (types, tags).',
      labelNames: ['cache'] as const,
      registers,
    }),
    streamConsumers: new Gauge({
      name: 'stele_stream_consumers',
      help: 'Open live streams.',
      registers,
    }),
    streamEvents: new Counter({
      name: 'stele_stream_events_sent_total',
      help: 'Events written to live streams.',
      registers,
    }),
    streamEvictions: new Counter({
      name: 'stele_stream_evictions_total',
      help: 'Live streams cut because the consumer did not read, by reason (buffer, stall).',
      labelNames: ['reason'] as const,
      registers,
    }),
    streamLagEvents: new Gauge({
      name: 'stele_stream_lag_events',
      help: 'Positions between the head and the slowest live stream.',
      registers,
    }),
    headPosition: new Gauge({
      name: 'stele_head_position',
      help: 'Last position of the log that this process knows.',
      registers,
    }),
    eventLoopDelaySeconds: new Gauge({
      name: 'stele_event_loop_delay_seconds',
      help: 'Delay of the event loop since the last scrape, by percentile (50, 90, 99).',
      labelNames: ['percentile'] as const,
      registers,
    }),
    storeReady: new Gauge({
      name: 'stele_store_ready',
      help: '1 while the store answers.',
      registers,
    }),
    unsafeDurability: new Gauge({
      name: 'stele_store_unsafe_durability',
      help: '1 while a crash of the machine of the store can lose acknowledged events.',
      registers,
    }),
    archiveFailing: new Gauge({
      name: 'stele_store_archive_failing',
      help: '1 while the database cannot archive its WAL; absent when it does not archive.',
      registers,
    }),
    storeBytes: new Gauge({
      name: 'stele_store_size_bytes',
      help: 'Size of the store with its indexes, by part (PostgreSQL: by table).',
      labelNames: ['part'] as const,
      registers,
    }),
    diskFreeBytes: new Gauge({
      name: 'stele_store_disk_free_bytes',
      help: 'Bytes that the store can still take up on its file system; absent for a store on another machine.',
      registers,
    }),
    diskSizeBytes: new Gauge({
      name: 'stele_store_disk_size_bytes',
      help: 'Size of the file system that the store lies on; absent for a store on another machine.',
      registers,
    }),
    oldestPosition: new Gauge({
      name: 'stele_oldest_event_position',
      help: 'Position of the oldest event that is stored.',
      registers,
    }),
    oldestTimestamp: new Gauge({
      name: 'stele_oldest_event_timestamp_seconds',
      help: 'Unix time at which the oldest event that is stored was recorded.',
      registers,
    }),
    jobs: new Counter({
      name: 'stele_jobs_total',
      help: 'Jobs that ended in this process, by kind and outcome (done, failed, cancelled, waiting, lost).',
      labelNames: ['kind', 'outcome'] as const,
      registers,
    }),
    jobProgress: new Gauge({
      name: 'stele_job_progress_ratio',
      help: 'How far the job is that runs in this process, by kind; absent while none does.',
      labelNames: ['kind'] as const,
      registers,
    }),
    lastBackup: new Gauge({
      name: 'stele_last_backup_timestamp_seconds',
      help: 'Unix time at which the last backup that the service made was done; absent before the first.',
      registers,
    }),
    sampledTimestamp: new Gauge({
      name: 'stele_store_sampled_timestamp_seconds',
      help: 'Unix time at which the store was last looked at for the figures that have to be looked up.',
      registers,
    }),
    info: new Gauge({
      name: 'stele_build_info',
      help: 'Always 1; the labels say what runs.',
      labelNames: ['version', 'store'] as const,
      registers,
    }),
  };
  // A counter that begins with its first failure hides it: its rate is that of the second.
  for (const code of Object.keys(ERROR_CATALOGUE)) metrics.failures.inc({ code }, 0);
  for (const decided of ['memory', 'store']) metrics.conflicts.inc({ decided }, 0);
  for (const result of ['replayed', 'refused']) metrics.duplicates.inc({ result }, 0);
  metrics.schemaViolations.inc({ enforcement: 'enforce', outcome: 'refused' }, 0);
  metrics.schemaViolations.inc({ enforcement: 'warn', outcome: 'stored' }, 0);
  for (const reason of ['buffer', 'stall']) metrics.streamEvictions.inc({ reason }, 0);
  for (const kind of ['retention', 'compaction', 'backup']) {
    for (const outcome of ['done', 'failed', 'cancelled', 'waiting', 'lost']) {
      metrics.jobs.inc({ kind, outcome }, 0);
    }
  }
  return metrics;
}
