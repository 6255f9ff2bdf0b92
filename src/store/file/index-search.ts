import type { Filter } from '../../model/filter.ts';
import { compareText, textAfter } from '../order.ts';
import type { TagQuery } from '../store.ts';
import { byTime } from './by-time.ts';
import type { Direction } from './cursors.ts';
import type { EventIndex } from './event-index.ts';
import type { Entry, KnownKey } from './generation.ts';
import type { LogSearch, TimeBounds } from './log-index.ts';
import { type SelectBounds, type Selection, selectEntries } from './select.ts';

/** Finds events in the index, without reading the log. */
export class IndexSearch implements LogSearch {
  readonly hint = 'The rows are entries of the index; only the events of the page are read from their files.';
  readonly #index: EventIndex;

  constructor(index: EventIndex) {
    this.#index = index;
  }

  sideOf({ ids, sides, items, types }: Filter): string {
    if (ids !== undefined) return 'ids';
    const parts = [
      ...sides.map((side) => `tags ${side.slice(0, 3).join(' or ')}`),
      ...(items === undefined ? [] : ['items']),
      ...(types === undefined ? [] : ['types']),
    ];
    return parts.length === 0 ? 'position' : parts.join(' and ');
  }

  select(filter: Filter, bounds: SelectBounds): Selection {
    return selectEntries(this.#index, filter, bounds);
  }

  byTime(filter: Filter, bounds: TimeBounds): Iterable<Selection> {
    return byTime(this.#index, filter, bounds);
  }

  entries(from: number, limit: number, direction: Direction): Entry[] {
    return this.#index.entries(from, limit, direction);
  }

  at(position: number): Entry | undefined {
    return this.#index.at(position);
  }

  byIds(ids: readonly string[]): Entry[] {
    return this.#index.byIds(ids);
  }

  key(caller: string, key: string): KnownKey | undefined {
    return this.#index.key(caller, key);
  }

  /** Jumps from key to key, or from value to value, in the order of the terms. */
  tags({ key, prefix = '', after, limit }: TagQuery): string[] {
    const found: string[] = [];
    // A semicolon comes behind the colon that ends a key.
    const behind = (name: string) => `${name};`;
    if (key === undefined) {
      let from = after === undefined || compareText(behind(after), prefix) < 0 ? prefix : behind(after);
      while (found.length < limit) {
        const term = this.#index.terms(from, 1)[0];
        if (term === undefined) break;
        const colon = term.indexOf(':');
        const name = term.slice(0, colon);
        if (isTag(term)) {
          if (!name.startsWith(prefix) && compareText(name, prefix) > 0) break;
          if (!this.#index.isLive(term)) {
            from = textAfter(term);
            continue;
          }
          if (name.startsWith(prefix)) found.push(name);
          from = behind(name);
        } else {
          // Metadata members begin with a dollar sign and types with an equals sign; letters and digits come elsewhere.
          from = term.startsWith('$') ? '%' : '>';
        }
      }
      return found;
    }
    const start = `${key}:${prefix}`;
    const known = after === undefined ? '' : `${key}:${after}`;
    let from = compareText(known, start) < 0 ? start : textAfter(known);
    while (found.length < limit) {
      const terms = this.#index.terms(from, limit - found.length);
      for (const term of terms) {
        if (!term.startsWith(start)) return found;
        if (this.#index.isLive(term)) found.push(term.slice(key.length + 1));
      }
      const last = terms.at(-1);
      if (last === undefined) return found;
      from = textAfter(last);
    }
    return found;
  }
}

function isTag(term: string): boolean {
  return !term.startsWith('$') && !term.startsWith('=');
}
