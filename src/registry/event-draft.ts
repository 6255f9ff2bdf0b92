import { LIMITS } from '../limits.ts';
import { INDEXED_METADATA, type NewEvent, parseBody } from '../model/event.ts';
import { escapeSegment } from '../model/json-value.ts';

type Content = ReturnType<typeof parseBody>;

/**
 * An event on its way in, to which members are added. What the client sent stays as it is, in its own bytes: what is
 * added stands in front of it.
 */
export class EventDraft {
  readonly #event: NewEvent;
  readonly #added: string[] = [];
  readonly #terms: string[] = [];
  #content: Content | undefined;
  #tags = '';
  #metadata = '';
  #pairs = -1;

  constructor(event: NewEvent) {
    this.#event = event;
  }

  get type(): string {
    return this.#event.type;
  }

  /** With what was added. Parsed when it is first asked for. */
  get content(): Content {
    this.#content ??= parseBody(this.#event.body);
    return this.#content;
  }

  get version(): number {
    const { body } = this.#event;
    // Most types have had no other yet.
    return body.startsWith(FIRST) ? 1 : Number.parseInt(body.slice(VERSION.length), 10);
  }

  get tags(): Content['tags'] {
    return this.content.tags;
  }

  get metadata(): Content['metadata'] {
    return this.content.metadata;
  }

  /** Most schemas are about data alone, and the rest of an event is not parsed for them. */
  get data(): Content['data'] {
    return this.#content?.data ?? dataOf(this.#event.body) ?? this.content.data;
  }

  /** Gives the event a tag, unless it has one of that key, or no room for all the values. */
  addTag(key: string, value: string | readonly string[]): void {
    const { tags } = this.content;
    if (Object.hasOwn(tags, key)) return;
    const values = typeof value === 'string' ? [value] : value;
    // Index terms of tags are pairs of key and value; those of metadata begin with `$`.
    if (this.#pairs < 0) this.#pairs = this.#event.terms.filter((term) => !term.startsWith('$')).length;
    if (values.length === 0 || this.#pairs + values.length > LIMITS.tagPairsMax) return;
    this.#pairs += values.length;
    tags[key] = typeof value === 'string' ? value : [...value];
    this.#tags += `"${key}":${JSON.stringify(value)},`;
    for (const one of values) this.#terms.push(`${key}:${one}`);
    this.#added.push(`/tags/${key}`);
  }

  /** Gives the event a member of metadata, unless it has it. */
  addMetadata(name: string, value: unknown): void {
    const metadata: Record<string, unknown> = this.content.metadata;
    if (Object.hasOwn(metadata, name)) return;
    metadata[name] = value;
    this.#metadata += `${JSON.stringify(name)}:${JSON.stringify(value)},`;
    if (Object.hasOwn(INDEXED_METADATA, name) && value !== '') this.#terms.push(`$${name}:${value}`);
    this.#added.push(`/metadata/${escapeSegment(name)}`);
  }

  /** The event with what was added; the same event where that is nothing. */
  finish(): NewEvent {
    if (this.#added.length === 0) return this.#event;
    const { body, terms, added = [] } = this.#event;
    return {
      ...this.#event,
      body: withMembers(withMembers(body, TAGS, this.#tags), METADATA, this.#metadata),
      terms: [...terms, ...this.#terms],
      added: [...added, ...this.#added],
    };
  }
}

/**
 * Where the members begin in a body. The first that is found is the right one: values of tags are no objects, and inside
 * of a string the quotes would be escaped.
 */
const VERSION = '"version":';
const FIRST = '"version":1,';
const TAGS = ',"tags":{';
const METADATA = ',"metadata":{';
const DATA = '},"data":{';

function withMembers(body: string, start: string, members: string): string {
  if (members === '') return body;
  const at = body.indexOf(start) + start.length;
  const rest = body.slice(at);
  const isEmpty = /^ *\}/.test(rest);
  return body.slice(0, at) + (isEmpty ? members.slice(0, -1) : members) + rest;
}

/** Undefined where the metadata has objects in it, in which there may be data too. */
function dataOf(body: string): Content['data'] | undefined {
  const metadata = body.indexOf(METADATA);
  const end = body.indexOf(DATA, metadata);
  if (metadata < 0 || end < 0) return undefined;
  const data = end + DATA.length - 1;
  return body.indexOf('{', metadata + METADATA.length) === data ? JSON.parse(body.slice(data)) : undefined;
}
