import { type Fault, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Metrics } from '../metrics.ts';
import { isSameJson } from '../model/json-value.ts';
import type { GroupCommit } from '../store/group-commit.ts';
import { type Backend, REGISTRY, type StoredDocument } from '../store/store.ts';
import type { EventType, TypeSettings, TypeVersion, VersionInput } from './event-type.ts';
import {
  COLLECTIONS,
  DEFAULT_SETTINGS,
  headWrite,
  RegistryImage,
  type RegistryWrite,
  ruleWrite,
  typeWrite,
  versionWrite,
} from './registry-documents.ts';
import type { RegistryState } from './registry-state.ts';
import type { Rule, RuleInput } from './rule.ts';
import type { TypeSchemas } from './type-schemas.ts';
import { checkVersion, isSameVersion, violationsOf } from './version-check.ts';

/**
 * Event types, their schemas, and rules: all that is registered, held in memory by every process.
 *
 * Any process may change it. A change is decided on a state and written with the revision of that state, so that of two
 * who change at once one has to look again. Nobody is told of a change: an append carries the revision that it was looked
 * at with, and the store refuses it when there is a newer one (`admission.ts`); readers ask for a state that is fresh.
 *
 * The documents are read one after the other. What was read is one state if the revision of REGISTRY is the same before
 * and after, since every change raises it in the commit of the change itself.
 */
export class Registry {
  readonly #backend: Backend;
  readonly #appender: Pick<GroupCommit, 'append'>;
  readonly #schemas: TypeSchemas;
  readonly #metrics: Pick<Metrics, 'registryRevision'>;
  #image = RegistryImage.empty;
  /** When the look began that the image is from: nothing that was committed before is missing in it. */
  #seenMs = Number.NEGATIVE_INFINITY;
  #look: Promise<void> | undefined;

  constructor(
    backend: Backend,
    appender: Pick<GroupCommit, 'append'>,
    { schemas, metrics }: { schemas: TypeSchemas; metrics: Pick<Metrics, 'registryRevision'> },
  ) {
    this.#backend = backend;
    this.#appender = appender;
    this.#schemas = schemas;
    this.#metrics = metrics;
  }

  /** As it was when somebody last looked. */
  get state(): RegistryState {
    return this.#image;
  }

  /** Reads what is registered. @throws what the store fails with. */
  async start(): Promise<void> {
    await this.fresh();
  }

  /** A state that misses nothing of what was registered up to `maxAgeMs` ago. Callers share one look at the store. */
  async fresh(maxAgeMs = 0): Promise<RegistryState> {
    const notBeforeMs = performance.now() - maxAgeMs;
    // A look that had begun earlier may have missed what this caller is to see.
    while (this.#seenMs < notBeforeMs) {
      this.#look ??= this.#lookAgain().finally(() => {
        this.#look = undefined;
      });
      await this.#look;
    }
    return this.#image;
  }

  /** Makes a type or changes it. What is left out takes its default. */
  async putType(type: string, settings: TypeSettings): Promise<{ registered: EventType; isNew: boolean }> {
    return await this.#change((image) => {
      const known = image.types.get(type);
      const wanted = { ...DEFAULT_SETTINGS, ...settings };
      const isSame = known !== undefined && isSameJson({ ...known, ...wanted }, known);
      return {
        writes: isSame ? [] : [typeWrite(type, wanted)],
        result: ({ types }) => ({ registered: types.get(type) as EventType, isNew: known === undefined }),
      };
    });
  }

  /**
   * Registers the next version of a type, which is made where it is missing, or finds that the latest is the same.
   *
   * @throws StoreError INVALID_SCHEMA (`errors`), INCOMPATIBLE_SCHEMA (`violations`).
   */
  async addVersion(type: string, input: VersionInput): Promise<Added> {
    const validators = await this.#schemas.compile(type, input);
    return await this.#change<Added>(async (image) => {
      const known = image.types.get(type) ?? { ...DEFAULT_SETTINGS, type, versions: [] };
      const latest = known.versions.at(-1);
      if (latest !== undefined && isSameVersion(latest, input))
        return { writes: [], result: () => ({ added: latest, isNew: false }) };
      const version = known.versions.length + 1;
      if (version > LIMITS.typeVersionsMax) throw full('versions of a type', LIMITS.typeVersionsMax);
      await checkVersion(input, { of: known, validators });
      const violations = violationsOf(input, known);
      if (violations.length > 0) throw incompatible(known, violations);
      const { upcast = [], examples = [], ...schemas } = input;
      return {
        writes: [
          ...(image.types.has(type) ? [] : [typeWrite(type, DEFAULT_SETTINGS)]),
          versionWrite(type, version, { ...schemas, upcast, examples }),
        ],
        result: ({ types }) => ({ added: types.get(type)?.versions.at(-1) as TypeVersion, isNew: true }),
      };
    });
  }

  /** Makes a rule or changes it. The same again changes nothing, and nobody's append has to be looked at again. */
  async putRule(name: string, input: RuleInput): Promise<{ rule: Rule; isNew: boolean }> {
    return await this.#change((image) => {
      const known = image.rules.get(name);
      if (known !== undefined && isSameJson(known, { ...input, rule: name }))
        return { writes: [], result: () => ({ rule: known, isNew: false }) };
      return {
        writes: [ruleWrite(name, input)],
        result: ({ rules }) => ({ rule: rules.get(name) as Rule, isNew: known === undefined }),
      };
    });
  }

  /** Removes a rule; false when there is none. */
  async removeRule(name: string): Promise<boolean> {
    return await this.#change((image) => {
      const isThere = image.rules.has(name);
      return { writes: isThere ? [ruleWrite(name, null)] : [], result: () => isThere };
    });
  }

  /** Decides a change on what is registered, and again when that has changed before it was stored. */
  async #change<T>(decide: (image: RegistryImage) => Change<T> | Promise<Change<T>>): Promise<T> {
    for (let attempt = 0; attempt < LIMITS.registryTriesMax; attempt += 1) {
      await this.fresh();
      const image = this.#image;
      const { writes, result } = await decide(image);
      if (writes.length === 0) return result(image);
      const next = (recordedAt: string) => image.with(writes, recordedAt);
      requireRoom(next(''));
      const answer = await this.#appender.append({
        events: [],
        checks: [],
        writes: [
          ...writes.map((write) => ({ ...write, expectedRevision: image.revisionOf(write) })),
          headWrite(image.revision),
        ],
      });
      if (answer.kind === 'stored') {
        const changed = next(answer.recordedAt);
        if (this.#image === image) this.#show(changed);
        return result(changed);
      }
    }
    throw new StoreError('OVERLOADED', 'Too many others change the registry at the same time.');
  }

  async #lookAgain(): Promise<void> {
    for (let attempt = 0; attempt < LIMITS.registryTriesMax; attempt += 1) {
      const beganMs = performance.now();
      const revision = await this.#revision();
      if (revision !== this.#image.revision) {
        const image = RegistryImage.of(revision, await this.#documents(), this.#image);
        if ((await this.#revision()) !== revision) continue;
        // What this process has changed meanwhile is newer.
        if (revision > this.#image.revision) this.#show(image);
      }
      this.#seenMs = beganMs;
      return;
    }
    throw new StoreError('OVERLOADED', 'The registry changes faster than it can be read.');
  }

  #show(image: RegistryImage): void {
    this.#image = image;
    this.#metrics.registryRevision.set(image.revision);
  }

  async #revision(): Promise<number> {
    const [head] = await this.#backend.documents({ ...REGISTRY, limit: 1 });
    return head?.revision ?? 0;
  }

  async #documents(): Promise<StoredDocument[]> {
    const all: StoredDocument[] = [];
    for (const collection of COLLECTIONS) {
      let from = '';
      for (;;) {
        const page = await this.#backend.documents({ collection, from, limit: PAGE_DOCUMENTS });
        all.push(...page);
        if (page.length < PAGE_DOCUMENTS) break;
        // The least text that comes after a key.
        from = `${page.at(-1)?.key ?? ''}\u0001`;
      }
    }
    return all;
  }
}

const PAGE_DOCUMENTS = 200;

interface Added {
  readonly added: TypeVersion;
  readonly isNew: boolean;
}

interface Change<T> {
  /** Empty where everything is as it shall be. */
  readonly writes: readonly RegistryWrite[];
  result(image: RegistryImage): T;
}

function incompatible(
  { type, compatibility, versions }: EventType,
  violations: readonly Fault[],
): StoreError {
  const [first] = violations;
  return new StoreError(
    'INCOMPATIBLE_SCHEMA',
    `The schema is not ${compatibility} compatible with version ${versions.length} of ${type}: ${first?.pointer} ${first?.detail}.`,
    { members: { violations } },
  );
}

/** @throws StoreError VALIDATION_FAILED when a change would make the registry larger than processes hold in memory. */
function requireRoom(image: RegistryImage): void {
  const bounds: readonly (readonly [what: string, number: number, max: number])[] = [
    ['types', image.types.size, LIMITS.registeredTypesMax],
    ['versions', image.versions, LIMITS.registeredVersionsMax],
    ['rules', image.rules.size, LIMITS.rulesMax],
    ['bytes', image.bytes, LIMITS.registryBytesMax],
  ];
  for (const [what, number, max] of bounds) {
    if (number > max) throw full(what, max);
  }
}

function full(what: string, max: number): StoreError {
  return new StoreError('VALIDATION_FAILED', `The registry would hold more than ${max} ${what}.`);
}
