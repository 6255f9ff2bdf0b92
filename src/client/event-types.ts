import { orNull } from './snapshots.ts';
import type { Transport } from './transport.ts';

/** A JSON Schema 2020-12. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** What is said of a type; what is left out takes its default. */
export interface TypeSettings {
  readonly description?: string;
  /** What a new version has to keep of the one before. Default: `backward`. */
  readonly compatibility?: 'none' | 'backward' | 'forward' | 'full';
  /** What becomes of an event that does not satisfy its schema. Default: `enforce`. */
  readonly enforcement?: 'off' | 'warn' | 'enforce';
  /** Tag keys, each with the JSON Pointer into `data` that its value is taken from. */
  readonly tagsFromData?: Readonly<Record<string, string>>;
}

export interface RegisteredType extends Required<TypeSettings> {
  readonly type: string;
  /** 0 where it has no schema yet. */
  readonly latestVersion: number;
  /** Events of the type in the log. */
  readonly count: number;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
}

/** Schemas of `data`, `tags` and `metadata`. */
export interface TypeSchemas {
  readonly schema: JsonSchema;
  readonly tagsSchema?: JsonSchema;
  readonly metadataSchema?: JsonSchema;
}

export interface NewTypeVersion extends TypeSchemas {
  /** Operations that make `data` of this version out of `data` of the version before. */
  readonly upcast?: readonly UpcastOperation[];
  /** Events as they would be appended; each has to satisfy the schemas. */
  readonly examples?: readonly object[];
}

export type UpcastOperation =
  | { readonly op: 'rename'; readonly path: string; readonly to: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'default' | 'set'; readonly path: string; readonly value: unknown };

export interface TypeVersion extends Required<Pick<NewTypeVersion, 'upcast' | 'examples'>>, TypeSchemas {
  readonly type: string;
  readonly version: number;
  readonly createdAt: string;
}

interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

/** What would become of a type by other schemas. */
export interface CompatibilityCheck {
  readonly compatible: boolean;
  readonly violations: readonly Fault[];
  /** Stored events that were compared, those that failed, and the latest of these. */
  readonly tested: number;
  readonly failed: number;
  readonly failing: readonly {
    readonly id: string;
    readonly position: number;
    readonly errors: readonly Fault[];
  }[];
}

/** Event types and the versions of their schemas. Changing them needs a key with the role `admin`. */
export interface EventTypes {
  /** Registers a type, or changes all of its settings. */
  put(type: string, settings: TypeSettings): Promise<RegisteredType>;
  /** A registered type; null when there is none. */
  get(type: string): Promise<RegisteredType | null>;
  /**
   * Registers the next version; the same as the latest is not registered again.
   * @throws SteleError INCOMPATIBLE_SCHEMA with `problem.violations`, INVALID_SCHEMA with `problem.errors`.
   */
  addVersion(type: string, version: NewTypeVersion): Promise<TypeVersion>;
  /** All versions, the first one first; none where the type is not registered. */
  versions(type: string): Promise<readonly TypeVersion[]>;
  /** One version, or the latest; null when there is none. */
  version(type: string, version?: number): Promise<TypeVersion | null>;
  /** Tries schemas without registering them; with `sample` also on so many of the latest stored events. */
  check(type: string, schemas: TypeSchemas & { readonly sample?: number }): Promise<CompatibilityCheck>;
}

export function createEventTypes(transport: Transport): EventTypes {
  const pathOf = (type: string, rest = '') => `/v1/types/${encodeURIComponent(type)}${rest}`;
  const send = async <T>(method: 'PUT' | 'POST', path: string, body: object): Promise<T> =>
    (await transport.json<T>({ method, path, body })).body;
  const find = <T>(path: string) => orNull(transport.json<T>({ method: 'GET', path }));
  return {
    put: (type, settings) => send('PUT', pathOf(type), settings),
    get: (type) => find<RegisteredType>(pathOf(type)),
    addVersion: (type, version) => send('POST', pathOf(type, '/versions'), version),
    versions: async (type) =>
      (await find<{ versions: TypeVersion[] }>(pathOf(type, '/versions')))?.versions ?? [],
    version: (type, version) => find<TypeVersion>(pathOf(type, `/versions/${version ?? 'latest'}`)),
    check: (type, schemas) => send('POST', pathOf(type, '/compatibility-checks'), schemas),
  };
}
