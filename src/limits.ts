/**
 * Every bound of the service in one place, with its reason where it is not in the contract, and the relations
 * between them asserted at start. Units and the word max or min come last.
 */
const MIB = 1024 * 1024;

export const LIMITS = {
  // The event and the batch (contract).
  eventBytesMax: 1 * MIB,
  batchBytesMax: 16 * MIB,
  batchEventsMax: 1000,
  conditionsMax: 16,
  /** What the rules may have looked up for one request: as much as the conditions of a full commit can ask. */
  guardsMax: 16_000,
  tagPairsMax: 64,
  tagKeyLengthMax: 64,
  tagValueLengthMax: 256,
  typeLengthMax: 255,
  jsonDepthMax: 64,
  idempotencyKeyLengthMax: 255,
  /**
   * In characters of up to four bytes, like the length of a tag value and of an aggregateId. Metadata members that
   * filters name are indexed, and an index entry of PostgreSQL holds 2,700 bytes.
   */
  metadataValueLengthMax: 512,
  aggregateIdLengthMax: 255,
  /** Body of a request that writes a snapshot. */
  snapshotBytesMax: 4 * MIB,

  /** Faults of a request that are told one by one. */
  faultsMax: 20,
  /** Failures of an import that are told one by one. */
  importFailuresMax: 100,

  // Queries (contract).
  queryItemsMax: 64,
  itemTypesMax: 100,
  filterValuesMax: 1000,
  pageSizeMax: 1000,
  pageSizeDefault: 100,
  offsetMax: 10_000,
  violationPositionsMax: 10,
  tagValuesListedMax: 1000,
  tagKeysListedMax: 1000,
  aggregateGroupsMax: 1000,
  urlLengthMax: 64 * 1024,
  /** The longest text of a path (a correlationId) in the longest encoding: twelve characters for one of four bytes. */
  pathSegmentLengthMax: 512 * 12,
  /** Those of tag values hold a value and a prefix, in which JSON writes six characters for a control character. */
  cursorLengthMax: 8192,

  // HTTP. A client that is slower than this, or says nothing for so long, is cut off: it holds a connection.
  headerBytesMax: 80 * 1024,
  headersMs: 20_000,
  requestMs: 120_000,
  /** Longer than the idle time of common load balancers (60 s), so that they close first and never meet a reset. */
  keepAliveMs: 72_000,

  // The append queue. A batch is what arrived while the one before was in flight, up to these.
  commitEventsMax: 2000,
  /** Up to here a batch takes everything that waits; see `store/group-commit.ts`. */
  commitEventsUnshared: 16,
  commitRequestsMax: 1000,
  commitBytesMax: 32 * MIB,
  queueEventsMax: 20_000,
  queueBytesMax: 128 * MIB,
  /** Past this age of its oldest entry the queue refuses new work instead of growing (contract). */
  queueAgeMsMax: 1000,
  /** How long an append may wait for a verdict before its outcome is called unknown. */
  outcomeWaitMs: 8000,

  // Schemas of event types. They come from outside: see `registry/schema-document.ts` for what each bound keeps away.
  schemaBytesMax: 256 * 1024,
  /** Levels of JSON. A level of data takes two of them, `properties` and the name below it. */
  schemaDepthMax: 128,
  subschemasMax: 5000,
  /** Sub-schemas that apply to one and the same value, references followed. */
  subschemasInPlaceMax: 2000,
  subschemaChainMax: 64,
  patternLengthMax: 1024,
  patternsMax: 100,
  /** In instructions of the program that RE2 makes of a pattern. */
  patternSizeMax: 1000,
  patternSizesMax: 10_000,
  schemaCompileMs: 2000,
  schemaQueueMax: 64,
  schemaCacheMax: 1000,
  /** What it may take to validate one value, in units of about 20 ns; see `registry/validation-run.ts`. */
  validationUnitsMax: 5_000_000,
  /** Of these, what the event loop is held for: past them a validation starts anew in the thread of the schemas. */
  validationUnitsAtOnce: 250_000,
  validationDepthMax: 600,
  /** What the operations of one upcast may copy and write, in characters: `copy` upon `copy` doubles. */
  upcastCharactersMax: 4 * MIB,

  /** How long the loser whose turn it is has to come back before the next is told, see `store/turns.ts`. */
  loserTurnMs: 5,
  /** The longest time for which a loser is kept waiting for its turn. */
  loserWaitMs: 25,

  // The window of recent events in which conditions near the head are decided without the database.
  windowEventsMax: 16_384,
  windowCharactersMax: 32 * MIB,
  /** So many at most, and half of them at least, are there where nobody has asked further back. */
  windowEventsMin: 512,
  /** Values of tags of which the last event is remembered, see `store/last-seen.ts`: some 200 bytes each. */
  lastSeenTermsMax: 65_536,

  // Figures of the store that are looked up for the metrics (capacity.ts): how old they may be, and how long
  // whoever wants to see them waits for new ones.
  capacityMaxAgeMs: 15_000,
  capacityWaitMs: 1000,

  // The live stream.
  streamBufferBytesMax: 1 * MIB,
  streamStallMsMax: 10_000,
  heartbeatMs: 15_000,
  checkpointMs: 5000,
  streamRetryMs: 1000,
  tailEventsMax: 16_384,
  tailBytesMax: 32 * MIB,
  /** What is handed to a connection at once: each piece that a consumer takes counts as progress. */
  streamPieceBytes: 64 * 1024,
  /** A consumer that took nothing for this long while a full buffer waits for it does not read. */
  streamPatienceMs: 100,
  /** Streams that read the store at the same time. The others wait for their turn, so that appends find connections. */
  streamScansMax: 4,
  streamScanTurnMs: 250,
  /** A stream whose consumer takes nothing for this long gives its turn away until it does. */
  streamScanIdleMs: 500,
  /** Blocks of the store that wait for consumers which stopped reading, all streams together. */
  streamPinnedBytesMax: 24 * MIB,
  /** The same for downloads (NDJSON without `follow`). */
  downloadScansMax: 2,

  // The file store: a segment, and what of the log and its index is kept in memory.
  segmentBytesMin: 1024,
  segmentBytesDefault: 64 * MIB,
  segmentBytesMax: 1024 * MIB,
  /** The one that is written to, and one that is sealed. */
  segmentsKeptMin: 2,
  segmentsKeptMax: 1_000_000,
  /** Bytes of a segment where older ones are removed: removing writes some kilobytes itself. */
  segmentBytesKeptMin: 65_536,
  indexMemoryBytesMin: 4096,
  indexMemoryBytesDefault: 64 * MIB,
  indexMemoryBytesMax: 64 * 1024 * MIB,

  /** A scan holds its database snapshot for at most this many positions, so that no slow reader pins it. */
  scanPositionsMax: 50_000,

  // Jobs: how often each process looks for one, and how long a job is left to a process that says nothing.
  jobPollMs: 2000,
  jobLeaseMs: 15_000,

  // The registry. Every process holds all of it in memory and reads it as a whole when it has changed: at its largest
  // that is about a second, and what is registered is written by people, not by programs.
  registeredTypesMax: 5000,
  /** Of one type: an upcast from the first to the last goes through all of them. */
  typeVersionsMax: 200,
  registeredVersionsMax: 20_000,
  rulesMax: 500,
  /** Body of a request that registers something. Schemas of several hundred members take up some 30 KiB. */
  registrationBytesMax: 256 * 1024,
  registryBytesMax: 32 * MIB,
  /** Compiled schemas that are kept; one takes up some hundred kilobytes, and a service sees few types at a time. */
  compiledVersionsMax: 500,
  /** Tries of a change, or of an append, against others who change the registry at the same time. Each has a winner. */
  registryTriesMax: 50,
  /** Stored events that a compatibility check looks at, and those that are told one by one. */
  sampleEventsMax: 10_000,
  sampleFailuresMax: 100,

  atLeastWaitMs: 5000,
  shutdownMs: 10_000,
  /** How long idle connections may still send a request that was on its way when the service stopped. */
  lingerMs: 300,
  idempotencyKeptHours: 48,
} as const;

function assertRelation(holds: boolean, what: string): void {
  if (!holds) throw new Error(`limits contradict each other: ${what}`);
}

assertRelation(LIMITS.batchEventsMax <= LIMITS.commitEventsMax, 'a batch must fit into one commit');
assertRelation(LIMITS.batchBytesMax <= LIMITS.commitBytesMax, 'a batch must fit into one commit');
assertRelation(LIMITS.commitEventsMax <= LIMITS.queueEventsMax, 'a commit must fit into the queue');
assertRelation(LIMITS.commitBytesMax <= LIMITS.queueBytesMax, 'a commit must fit into the queue');
assertRelation(LIMITS.eventBytesMax <= LIMITS.batchBytesMax, 'an event must fit into a batch');
assertRelation(
  LIMITS.guardsMax <= LIMITS.conditionsMax * LIMITS.commitRequestsMax,
  'a request must not hold the lock for longer than a full commit',
);
assertRelation(LIMITS.pageSizeDefault <= LIMITS.pageSizeMax, 'the default page must be a page');
assertRelation(LIMITS.snapshotBytesMax <= LIMITS.commitBytesMax, 'a snapshot must fit into one commit');
assertRelation(LIMITS.registrationBytesMax <= LIMITS.registryBytesMax, 'a schema must fit into the registry');
assertRelation(LIMITS.registeredTypesMax <= LIMITS.registeredVersionsMax, 'every type may have a schema');
assertRelation(LIMITS.outcomeWaitMs < LIMITS.shutdownMs, 'a stopping service waits for outcomes');
assertRelation(LIMITS.urlLengthMax < LIMITS.headerBytesMax, 'a URL must fit into the header');
assertRelation(
  Math.max(LIMITS.aggregateIdLengthMax, LIMITS.metadataValueLengthMax) * 12 <= LIMITS.pathSegmentLengthMax,
  'an id must fit into a path',
);
assertRelation(LIMITS.jobPollMs < LIMITS.jobLeaseMs, 'a lease must outlast a look');
assertRelation(LIMITS.idempotencyKeptHours >= 24, 'keys are kept a day (contract)');
