import type { TypePattern } from '../../model/filter.ts';
import { isSystemType } from '../../model/query.ts';
import type { TypeNumbers } from './append-call.ts';
import type { Connections } from './connections.ts';

/**
 * Event types by number. The table only grows and a number never changes its meaning, so what is known here
 * stays true; what is not known may have been added by another process and is looked up.
 *
 * A type is registered, and committed, before the append that first uses it. A number read from an event is
 * therefore always found.
 */
export class TypeCatalogue implements TypeNumbers {
  readonly #connections: Connections;
  readonly #schema: string;
  readonly #nameById = new Map<number, string>();
  readonly #idByName = new Map<string, number>();
  /** Of sets that do not change: those of a rule. */
  readonly #idsTexts = new WeakMap<ReadonlySet<string>, string>();

  constructor(connections: Connections, schema: string) {
    this.#connections = connections;
    this.#schema = schema;
  }

  /** Loads the types that this process does not know yet. */
  async refresh(): Promise<void> {
    const known = this.#nameById.size === 0 ? 0 : Math.max(...this.#nameById.keys());
    // Numbers are handed out in order but may commit out of order: look a little back.
    const rows = await this.#connections.query(
      'reading the event types',
      `select id, type from ${this.#schema}.types where id > $1`,
      [Math.max(0, known - 1000)],
    );
    for (const [id, name] of rows) this.#learn(Number(id), name as string);
  }

  /** Numbers of types, made where they are missing. */
  async register(names: Iterable<string>): Promise<void> {
    const missing = [...new Set(names)].filter((name) => !this.#idByName.has(name));
    if (missing.length === 0) return;
    const rows = await this.#connections.query(
      'registering event types',
      `select u.type, u.id from unnest($1::text[], ${this.#schema}.register_types($1::text[])) u(type, id)`,
      [missing],
    );
    for (const [name, id] of rows) this.#learn(Number(id), name as string);
  }

  has(name: string): boolean {
    return this.#idByName.has(name);
  }

  id(name: string): number {
    const id = this.#idByName.get(name);
    if (id === undefined) throw new Error(`the type ${name} has not been registered`);
    return id;
  }

  hasAll(types: ReadonlySet<string>): boolean {
    if (this.#idsTexts.has(types)) return true;
    for (const type of types) if (!this.has(type)) return false;
    return true;
  }

  idsText(types: ReadonlySet<string>): string {
    let text = this.#idsTexts.get(types);
    if (text === undefined) {
      text = `{${[...types].map((type) => this.id(type)).join()}}`;
      this.#idsTexts.set(types, text);
    }
    return text;
  }

  /** Undefined when the catalogue has to be refreshed first. */
  nameOf(id: number): string | undefined {
    return this.#nameById.get(id);
  }

  /** The way to name the types of a set of rows; refreshes when one of them is new. */
  async namer(ids: Iterable<number>): Promise<(id: number) => string> {
    for (const id of ids) {
      if (!this.#nameById.has(id)) {
        await this.refresh();
        break;
      }
    }
    return (id) => {
      const name = this.#nameById.get(id);
      if (name === undefined) throw new Error(`the log names a type ${id} that does not exist`);
      return name;
    };
  }

  /** The numbers of all types that match one of the patterns, as the database has them now. */
  async matching(patterns: readonly TypePattern[]): Promise<number[]> {
    const exact = patterns.filter(({ prefix }) => !prefix).map(({ text }) => text);
    const prefixes = patterns.filter(({ prefix }) => prefix).map(({ text }) => text);
    if (prefixes.length === 0 && exact.every((name) => this.#idByName.has(name))) {
      return exact.map((name) => this.id(name));
    }
    const rows = await this.#connections.query(
      'reading the event types',
      `select t.id, t.type from ${this.#schema}.types t
        where t.type = any ($1::text[])
           or exists (select from unnest($2::text[]) p(prefix) where starts_with(t.type, p.prefix)
                        and (starts_with(p.prefix, '$') or not starts_with(t.type, '$')))`,
      [exact, prefixes],
    );
    for (const [id, name] of rows) this.#learn(Number(id), name as string);
    return rows.map(([id]) => Number(id));
  }

  /** All names, in order of their code points. */
  sorted(): { id: number; name: string }[] {
    return [...this.#nameById]
      .map(([id, name]) => ({ id, name }))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  #learn(id: number, name: string): void {
    this.#nameById.set(id, name);
    this.#idByName.set(name, id);
  }

  isSystem(id: number): boolean {
    const name = this.#nameById.get(id);
    return name !== undefined && isSystemType(name);
  }
}
