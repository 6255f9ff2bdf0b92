/** Tables of the index. An index of another format is built anew, so a change here needs nothing but a new number. */
export const FORMAT = '5';

export const SCHEMA = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE segments (number INTEGER PRIMARY KEY, file TEXT NOT NULL UNIQUE);
  CREATE TABLE types (
    number INTEGER PRIMARY KEY, type TEXT NOT NULL UNIQUE, count INTEGER NOT NULL,
    firstTimestamp TEXT NOT NULL, lastTimestamp TEXT NOT NULL
  );
  CREATE TABLE events (
    block INTEGER PRIMARY KEY, lowId BLOB, lowTime TEXT, removed INTEGER NOT NULL, bare INTEGER NOT NULL,
    live INTEGER NOT NULL, columns BLOB NOT NULL
  );
  CREATE INDEX events_by_id ON events (lowId);
  CREATE INDEX events_by_time ON events (lowTime);
  CREATE INDEX events_live ON events (block) WHERE live > 0;
  CREATE INDEX events_removed ON events (block) WHERE removed > 0;
  CREATE INDEX events_bare ON events (block) WHERE bare > 0;
  CREATE TABLE ids (id BLOB PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE times (
    timestamp TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (timestamp, position)
  ) WITHOUT ROWID;
  CREATE TABLE layers (
    number INTEGER PRIMARY KEY, level INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    runs INTEGER NOT NULL, replaced INTEGER NOT NULL
  );
  CREATE TABLE postings (
    layer INTEGER NOT NULL, term BLOB NOT NULL, last INTEGER NOT NULL, runs BLOB NOT NULL,
    PRIMARY KEY (layer, term, last)
  ) WITHOUT ROWID;
  CREATE TABLE documents (
    collection TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, updatedAt TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (collection, key)
  );
  CREATE TABLE keys (
    caller TEXT NOT NULL, key TEXT NOT NULL, hash TEXT NOT NULL, first TEXT NOT NULL, keptUntilMs INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
  ) WITHOUT ROWID;
  CREATE INDEX keys_by_time ON keys (keptUntilMs);
`;
