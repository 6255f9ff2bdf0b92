import { type Fault, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { parseBody } from '../model/event.ts';
import type { TypeVersion } from './event-type.ts';
import { type EventValidators, faultsOfEvent } from './sample.ts';
import type { SchemaCompiler, Validator } from './schema-compiler.ts';

/** What a schema looks at of an event. */
export type Content = Pick<ReturnType<typeof parseBody>, 'data' | 'tags' | 'metadata'>;

/** The faults of an event by a version of its type, with pointers into the event. Empty: it satisfies the version. */
export type VersionCheck = (content: Content) => readonly Fault[] | Promise<readonly Fault[]>;

type Schemas = Pick<TypeVersion, 'schema'> & Partial<Pick<TypeVersion, 'tagsSchema' | 'metadataSchema'>>;

const MEMBERS = [
  ['schema', 'data'],
  ['tagsSchema', 'tags'],
  ['metadataSchema', 'metadata'],
] as const;

/**
 * The compiled schemas of registered versions. They are compiled when they are first needed, and the ones that were not
 * needed for longest make room for others. A version never changes, so what was compiled stays good.
 */
export class TypeSchemas {
  readonly #compiler: SchemaCompiler;
  readonly #checks = new Map<TypeVersion, VersionCheck | Promise<VersionCheck>>();

  constructor(compiler: SchemaCompiler) {
    this.#compiler = compiler;
  }

  /** The check of a registered version, at once where it is compiled. */
  of(type: string, version: TypeVersion): VersionCheck | Promise<VersionCheck> {
    const known = this.#checks.get(version);
    if (known !== undefined) {
      this.#checks.delete(version);
      this.#checks.set(version, known);
      return known;
    }
    const compiling = this.#compileRegistered(type, version);
    this.#checks.set(version, compiling);
    for (const oldest of this.#checks.keys()) {
      if (this.#checks.size <= LIMITS.compiledVersionsMax) break;
      this.#checks.delete(oldest);
    }
    return compiling;
  }

  /**
   * Schemas that are not registered.
   *
   * @throws StoreError INVALID_SCHEMA with pointers into the request that brings them.
   */
  async compile(type: string, schemas: Schemas): Promise<EventValidators> {
    const validators: Partial<Record<keyof Content, Validator>> = {};
    for (const [name, member] of MEMBERS) {
      const schema = schemas[name];
      if (schema === undefined) continue;
      try {
        validators[member] = await this.#compiler.compile(schema, { name: `${type} ${member}` });
      } catch (error) {
        throw below(`/${name}`, error);
      }
    }
    return validators;
  }

  async #compileRegistered(type: string, version: TypeVersion): Promise<VersionCheck> {
    try {
      const check = checkOf(await this.compile(type, version));
      if (this.#checks.has(version)) this.#checks.set(version, check);
      return check;
    } catch (cause) {
      this.#checks.delete(version);
      if (cause instanceof StoreError && cause.code !== 'INVALID_SCHEMA') throw cause;
      const detail = `Version ${version.version} of ${type} cannot be compiled, though it is registered.`;
      throw new StoreError('STORAGE_ERROR', detail, { cause });
    }
  }
}

export function checkOf(validators: EventValidators): VersionCheck {
  return (content) => faultsOfEvent(content, validators);
}

/** Points into a request where the schema stands in it. */
function below(pointer: string, error: unknown): unknown {
  if (!(error instanceof StoreError) || error.faults === undefined) return error;
  const faults = error.faults.map((fault) => ({ ...fault, pointer: pointer + fault.pointer }));
  return new StoreError(error.code, error.message, { faults, cause: error.cause });
}
