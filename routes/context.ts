import type { Logger } from 'pino';
import type { Access } from '../src/access/policy.ts';
import type { Config } from '../src/config.ts';
import type { Feed } from '../src/feed/feed.ts';
import type { Metrics } from '../src/metrics.ts';
import type { EventContext } from '../src/model/event.ts';
import type { Admission } from '../src/registry/admission.ts';
import type { Registry } from '../src/registry/registry.ts';
import type { TypeSchemas } from '../src/registry/type-schemas.ts';
import type { Capacity } from '../src/store/capacity.ts';
import type { GroupCommit } from '../src/store/group-commit.ts';
import type { Backend } from '../src/store/store.ts';
import type { Upkeep } from '../src/upkeep/upkeep.ts';

/** Everything a route may need. Made by `createService` in src/app.ts and handed to every route plugin. */
export interface Service {
  /** Version of the package. */
  readonly version: string;
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly backend: Backend;
  readonly appender: Pick<GroupCommit, 'append' | 'queue' | 'recent' | 'stop'>;
  /** Event types, schemas and rules. */
  readonly registry: Registry;
  /** Schemas, ready to look at events. */
  readonly schemas: TypeSchemas;
  /** The way in for events of clients: checked, completed and handed to the appender. */
  readonly admission: Pick<Admission, 'append' | 'refusals' | 'before'>;
  readonly feed: Feed;
  /** Figures of the store that are looked up when somebody wants to see them. */
  readonly capacity: Pick<Capacity, 'sample'>;
  /** Retention, compaction, backups and their jobs. */
  readonly upkeep: Upkeep;
  readonly access: Access;
  /** What every event that comes in is read with. */
  readonly eventContext: EventContext;
  /** Set once, at the signal to stop: from then on new requests are refused and the service is not ready. */
  readonly lifecycle: { stopping: boolean };
  /** Drains the queue of appends, ends the streams in order and closes the store. Idempotent. */
  stop(): Promise<void>;
}
