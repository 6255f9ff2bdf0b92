import { type EventIds, isOwnId } from '../event-id.ts';
import { type Faults, toPointer } from '../faults.ts';
import { eventIdOf } from '../foreign-id.ts';
import { versionOf } from './version-text.ts';

/** A member as JSON text, and where the client wrote it. */
interface Written {
  readonly raw: string;
  readonly at: string;
  /** How much of a pointer into it the client did not write. */
  readonly wrapping?: string;
}

/** What a shape is read with. */
export interface DraftContext {
  readonly eventIds: EventIds;
  readonly faults: Faults;
}

/** An event in the words of Stele, and the places of its members in what was sent. */
export interface Draft {
  readonly text: string;
  /** The pointer into what was sent for one into `text`. */
  pointerOf(pointer: string): string;
}

const MEMBERS = ['id', 'type', 'timestamp', 'version', 'tags', 'metadata', 'data'] as const;
type Member = (typeof MEMBERS)[number];

const DEFAULTS: Readonly<Partial<Record<Member, string>>> = { version: '1', tags: '{}' };

/**
 * The event that is made of what a shape says. Nothing of it is judged here: the text goes the way of every event
 * (model/event.ts), and what is wrong with it is told where the client wrote it.
 */
export class DraftEvent {
  readonly #members = new Map<Member, Written>();
  readonly #metadata = new Map<string, Written>();
  #metadataAt = '/metadata';

  set(member: Exclude<Member, 'id' | 'metadata'>, raw: string | undefined, at: string): this {
    if (raw !== undefined) this.#members.set(member, { raw, at });
    return this;
  }

  /** Data that is no object, as the member `name` of one. */
  setWrapped(name: string, raw: string, at: string): void {
    this.#members.set('data', { raw: `{"${name}":${raw}}`, at, wrapping: `/${name}` });
  }

  setMetadata(name: string, raw: string | undefined, at: string): this {
    if (raw !== undefined) this.#metadata.set(name, { raw, at });
    return this;
  }

  /** Where members of the metadata stand that have no place of their own. */
  metadataAt(at: string): this {
    this.#metadataAt = at;
    return this;
  }

  /** The version, as a text of another system. */
  setVersionText(text: string | undefined, at: string): this {
    if (text === undefined) return this;
    this.set('version', String(versionOf(text)), at);
    return this.setMetadata('versionText', JSON.stringify(text), at);
  }

  /** Takes back what the shape says only because it has to say something. */
  unset(name: string): void {
    this.#metadata.delete(name);
  }

  /** The id, own or foreign. To be called last: a foreign one is taken together with the source. */
  setId(id: string | undefined, at: string, { eventIds, faults }: DraftContext): this {
    if (id === undefined) return this;
    if (isOwnId(id, eventIds)) {
      this.#members.set('id', { raw: JSON.stringify(id), at });
      return this;
    }
    const other = this.#metadata.get('foreignId');
    if (other !== undefined) faults.addAt(other.at, 'stands beside an id that is another one');
    const source: unknown = JSON.parse(this.#metadata.get('source')?.raw ?? '""');
    const made = eventIdOf(typeof source === 'string' ? source : '', id);
    this.#members.set('id', { raw: JSON.stringify(made), at });
    return this.setMetadata('foreignId', JSON.stringify(id), at);
  }

  /**
   * The event. It names what a shape leaves out as none: whichever shape an event comes in, it is the same event, and
   * known when it is sent again.
   */
  finish(): Draft {
    const texts: string[] = [];
    for (const member of MEMBERS) {
      const raw = member === 'metadata' ? this.#metadataText() : this.#members.get(member)?.raw;
      const named = raw ?? DEFAULTS[member];
      if (named !== undefined) texts.push(`"${member}":${named}`);
    }
    return { text: `{${texts.join(',')}}`, pointerOf: (pointer) => this.#pointerOf(pointer) };
  }

  #metadataText(): string {
    const members = [...this.#metadata].map(([name, { raw }]) => `${JSON.stringify(name)}:${raw}`);
    return `{${members.join(',')}}`;
  }

  #pointerOf(pointer: string): string {
    for (const [name, { at }] of this.#metadata) {
      const rest = restOf(pointer, toPointer(['metadata', name]));
      if (rest !== undefined) return at + rest;
    }
    for (const [member, { at, wrapping = '' }] of this.#members) {
      const rest = restOf(pointer, `/${member}${wrapping}`);
      if (rest !== undefined) return at + rest;
    }
    const rest = restOf(pointer, '/metadata');
    return rest === undefined ? pointer : this.#metadataAt + rest;
  }
}

/** What follows `prefix` in a pointer that is or begins with it. */
function restOf(pointer: string, prefix: string): string | undefined {
  if (pointer !== prefix && !pointer.startsWith(`${prefix}/`)) return undefined;
  return pointer.slice(prefix.length);
}
