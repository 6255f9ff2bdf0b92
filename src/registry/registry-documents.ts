import { REGISTRY, type StoredDocument } from '../store/store.ts';
import type { EventType, TypeVersion } from './event-type.ts';
import type { RegistryState } from './registry-state.ts';
import type { Rule, RuleInput } from './rule.ts';

/**
 * The registry as documents of the store: one for each type, each version and each rule, and REGISTRY, which every
 * change writes along, so that its revision stands for all of them.
 *
 * The key of a version is the type, a character that no type can hold, and the number with leading zeros: those of a
 * type lie side by side in their order.
 */
const TYPES = 'types';
const VERSIONS = 'type-versions';
const RULES = 'rules';
export const COLLECTIONS = [TYPES, VERSIONS, RULES] as const;
type Collection = (typeof COLLECTIONS)[number];

const SEPARATOR = '\u001f';
const VERSION_DIGITS = 16;

/** What one change does to one document; a body of null removes it. */
export interface RegistryWrite {
  readonly collection: Collection;
  readonly key: string;
  readonly body: string | null;
}

type TypeBody = Pick<EventType, 'description' | 'compatibility' | 'enforcement' | 'tagsFromData'>;
type VersionBody = Pick<TypeVersion, 'schema' | 'upcast' | 'examples'> &
  Partial<Pick<TypeVersion, 'tagsSchema' | 'metadataSchema'>>;

export const DEFAULT_SETTINGS: TypeBody = {
  description: '',
  compatibility: 'backward',
  enforcement: 'enforce',
  tagsFromData: {},
};

export function typeWrite(type: string, settings: TypeBody): RegistryWrite {
  const { description, compatibility, enforcement, tagsFromData } = settings;
  const body = JSON.stringify({ description, compatibility, enforcement, tagsFromData });
  return { collection: TYPES, key: type, body };
}

export function versionWrite(type: string, version: number, body: VersionBody): RegistryWrite {
  const { schema, tagsSchema, metadataSchema, upcast, examples } = body;
  const key = type + SEPARATOR + String(version).padStart(VERSION_DIGITS, '0');
  const text = JSON.stringify({ schema, tagsSchema, metadataSchema, upcast, examples });
  return { collection: VERSIONS, key, body: text };
}

export function ruleWrite(rule: string, input: RuleInput | null): RegistryWrite {
  return { collection: RULES, key: rule, body: input === null ? null : JSON.stringify(input) };
}

/** A document as far as it has to be known to be written, and to be read again only if it has changed. */
interface Known {
  readonly revision: number;
  readonly updatedAt: string;
  readonly bytes: number;
  readonly value: TypeVersion | undefined;
}

/** The registry as it is held in memory: what it says, and which documents say it. Never changed. */
export class RegistryImage implements RegistryState {
  readonly revision: number;
  readonly #types = new Map<string, EventType>();
  readonly #rules = new Map<string, Rule>();
  readonly #known = new Map<string, Known>();
  #bytes = 0;
  #versions = 0;

  private constructor(revision: number) {
    this.revision = revision;
  }

  /** Out of all its documents. Versions that an earlier image held are taken from there, with what hangs on them. */
  static of(
    revision: number,
    documents: Iterable<StoredDocument>,
    earlier: RegistryImage = RegistryImage.empty,
  ): RegistryImage {
    const image = new RegistryImage(revision);
    for (const document of documents) image.#add(document, earlier);
    return image;
  }

  static readonly empty = new RegistryImage(0);

  get types(): ReadonlyMap<string, EventType> {
    return this.#types;
  }

  get rules(): ReadonlyMap<string, Rule> {
    return this.#rules;
  }

  /** Bytes of all documents. */
  get bytes(): number {
    return this.#bytes;
  }

  get versions(): number {
    return this.#versions;
  }

  /** The revision of a document; 0 where there is none. */
  revisionOf({ collection, key }: Pick<RegistryWrite, 'collection' | 'key'>): number {
    return this.#known.get(nameOf(collection, key))?.revision ?? 0;
  }

  /** As it is once a change has been stored at a time. */
  with(writes: readonly RegistryWrite[], updatedAt: string): RegistryImage {
    const image = new RegistryImage(this.revision + 1);
    for (const [type, registered] of this.#types) image.#types.set(type, registered);
    for (const [name, rule] of this.#rules) image.#rules.set(name, rule);
    for (const [name, known] of this.#known) image.#known.set(name, known);
    image.#bytes = this.#bytes;
    image.#versions = this.#versions;
    for (const write of writes) {
      const { collection, key, body } = write;
      const revision = this.revisionOf(write) + 1;
      if (body === null) image.#remove(collection, key);
      else image.#add({ collection, key, revision, body, updatedAt }, RegistryImage.empty);
    }
    return image;
  }

  #add(document: StoredDocument, earlier: RegistryImage): void {
    const { collection, key, revision, updatedAt, body } = document;
    const name = nameOf(collection, key);
    const before = earlier.#known.get(name);
    const isSame = before?.revision === revision && before.updatedAt === updatedAt;
    const bytes = isSame ? before.bytes : Buffer.byteLength(body);
    let value: TypeVersion | undefined;
    if (collection === TYPES) this.#setType(key, JSON.parse(body) as TypeBody);
    else if (collection === RULES) this.#rules.set(key, { ...(JSON.parse(body) as RuleInput), rule: key });
    else {
      value = (isSame ? before.value : undefined) ?? versionOf(document);
      this.#addVersion(key.slice(0, key.lastIndexOf(SEPARATOR)), value);
    }
    this.#bytes += bytes - (this.#known.get(name)?.bytes ?? 0);
    this.#known.set(name, { revision, updatedAt, bytes, value });
  }

  #remove(collection: string, key: string): void {
    const name = nameOf(collection, key);
    if (collection !== RULES) throw new Error('types and versions stay once they are registered');
    this.#rules.delete(key);
    this.#bytes -= this.#known.get(name)?.bytes ?? 0;
    this.#known.delete(name);
  }

  #setType(type: string, body: TypeBody): void {
    this.#types.set(type, { ...body, type, versions: this.#types.get(type)?.versions ?? [] });
  }

  #addVersion(type: string, version: TypeVersion): void {
    const known = this.#types.get(type) ?? { ...DEFAULT_SETTINGS, type, versions: [] };
    this.#types.set(type, { ...known, versions: [...known.versions, version] });
    this.#versions += 1;
  }
}

function versionOf({ key, body, updatedAt }: StoredDocument): TypeVersion {
  const { schema, tagsSchema, metadataSchema, upcast, examples } = JSON.parse(body) as VersionBody;
  const version = Number(key.slice(key.lastIndexOf(SEPARATOR) + 1));
  return { version, schema, tagsSchema, metadataSchema, upcast, examples, createdAt: updatedAt };
}

function nameOf(collection: string, key: string): string {
  return `${collection} ${key}`;
}

/** The document that stands for all others. */
export function headWrite(revision: number) {
  return { ...REGISTRY, expectedRevision: revision, body: '{}' };
}
