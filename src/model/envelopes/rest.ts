import { LIMITS } from '../../limits.ts';
import { isOwnId } from '../event-id.ts';
import { eventIdOf } from '../foreign-id.ts';
import type { EventParts } from './parts.ts';
import { isVersionText, versionOf, versionTextOf } from './version-text.ts';

/**
 * What of an event a shape has not said yet.
 *
 * A shape takes out of the metadata what it has a place for, and what is left goes along under a name of Stele's, so
 * that nothing is lost. It may only take what it would read back as the same: everything that is taken is looked at.
 */
export class Rest {
  readonly #parts: EventParts;
  readonly #metadata: Map<string, unknown>;
  readonly #unset: string[] = [];

  constructor(parts: EventParts) {
    this.#parts = parts;
    this.#metadata = new Map(Object.entries(parts.metadata));
  }

  /** Members of the metadata that are named here do not exist: the shape only had to say something. */
  get unset(): readonly string[] {
    return this.#unset;
  }

  get metadata(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.#metadata);
  }

  /** Takes a member if it is what the shape can say. */
  take<T>(name: string, isSayable: (value: unknown) => value is T): T | undefined {
    const value = this.#metadata.get(name);
    if (!isSayable(value)) return undefined;
    this.#metadata.delete(name);
    return value;
  }

  /** The same, or the text that the shape says in its place. */
  takeOr(name: string, isSayable: (value: unknown) => value is string, fallback: string): string {
    const taken = this.take(name, isSayable);
    if (taken === undefined) this.markUnset(name);
    return taken ?? fallback;
  }

  /** For a member that the shape says although it does not exist. One that is left wins by itself. */
  markUnset(name: string): void {
    if (!this.#metadata.has(name)) this.#unset.push(name);
  }

  /** What the event is called where it comes from. */
  takeId(isSayable: (value: unknown) => value is string = isName): string {
    const { id, metadata } = this.#parts;
    const source = metadata['source'];
    const foreignId = metadata['foreignId'];
    const isCalled =
      isSayable(foreignId) &&
      !isOwnId(foreignId, 'uuidv7') &&
      eventIdOf(typeof source === 'string' ? source : '', foreignId) === id;
    if (!isCalled) return id;
    this.#metadata.delete('foreignId');
    return foreignId;
  }

  /** The version as a text; undefined for the first one, where that never was a text. */
  takeVersion(): string | undefined {
    const { version, metadata } = this.#parts;
    const text = metadata['versionText'];
    if (isVersionText(text) && versionOf(text) === version) {
      this.#metadata.delete('versionText');
      return text;
    }
    if (version === 1) return undefined;
    this.markUnset('versionText');
    return versionTextOf(version);
  }

  /** The same for shapes that have to say it. */
  takeVersionAlways(): string {
    const text = this.takeVersion();
    if (text === undefined) this.markUnset('versionText');
    return text ?? versionTextOf(this.#parts.version);
  }
}

/** What an event can be called, or its source. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= LIMITS.metadataValueLengthMax;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}
