import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { toPointer } from '../model/faults.ts';

/**
 * A check of a schema over one value, made once for a schema and run for every event. `seen` is there where somebody around it
 * asks which members and items were evaluated (`unevaluatedProperties`, `unevaluatedItems`).
 */
export type Check = (value: unknown, run: Run, seen: Seen | undefined) => boolean;

/** Thrown where a validation takes more than is allowed. It ends the run. */
export const TOO_MUCH = new Error('the validation takes too much');

/**
 * One validation. It is paid for as it goes: each sub-schema that is applied, each member, item and character that is looked
 * at costs units, of about 20 ns each, so that no schema and no event hold a thread for longer than some 100 ms, and the event
 * loop for no more than 5. An event of 1 MiB against a usual schema takes 10.
 *
 * It first asks for nothing but yes or no, and stops at the first no. Only what is not valid is gone through again, with
 * `isExplaining`, to say what is wrong and where, up to `faultsMax` places.
 */
export class Run {
  readonly faults: Fault[] = [];
  readonly path: (string | number)[] = [];
  isExplaining = false;
  #left: number;
  #depth = 0;

  /** @param units what all of it may take. */
  constructor(units: number = LIMITS.validationUnitsMax) {
    this.#left = units;
  }

  /** @throws TOO_MUCH */
  spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw TOO_MUCH;
  }

  /** Goes into a sub-schema. Leaves the stack of the process some room: a level takes up to a kilobyte of it. */
  enter(units: number): void {
    this.spend(units);
    this.#depth += 1;
    if (this.#depth > LIMITS.validationDepthMax) throw TOO_MUCH;
  }

  leave(): void {
    this.#depth -= 1;
  }

  /** Whether to look on after a fault. */
  get wantsMore(): boolean {
    return this.isExplaining && this.faults.length < LIMITS.faultsMax;
  }

  /** Notes what is wrong with the value, or with a part of it, one fault a place; is false, for callers to return. */
  fail(detail: () => string, ...steps: (string | number)[]): false {
    if (!this.wantsMore) return false;
    const pointer = toPointer([...this.path, ...steps]);
    if (!this.faults.some((fault) => fault.pointer === pointer)) {
      this.faults.push({ pointer, detail: detail() });
    }
    return false;
  }

  /** Checks a member or an item. */
  within(check: Check, value: unknown, step: string | number): boolean {
    if (!this.isExplaining) return check(value, this, undefined);
    this.path.push(step);
    const isValid = check(value, this, undefined);
    this.path.pop();
    return isValid;
  }

  /** Checks without noting faults: what is an alternative may fail. */
  asks(check: Check, value: unknown, seen: Seen | undefined): boolean {
    const isExplaining = this.isExplaining;
    this.isExplaining = false;
    const isValid = check(value, this, seen);
    this.isExplaining = isExplaining;
    return isValid;
  }
}

/** Which members and items of one value were evaluated. */
export class Seen {
  readonly names = new Set<string>();
  hasAllNames = false;
  /** All items below this index. */
  items = 0;
  /** Further items, those that `contains` found. */
  readonly found = new Set<number>();

  /** Takes what a sub-schema evaluated that holds. */
  add(other: Seen, run: Run): void {
    run.spend(2 * (other.names.size + other.found.size));
    for (const name of other.names) this.names.add(name);
    for (const index of other.found) this.found.add(index);
    this.hasAllNames ||= other.hasAllNames;
    this.items = Math.max(this.items, other.items);
  }

  hasName(name: string): boolean {
    return this.hasAllNames || this.names.has(name);
  }

  hasItem(index: number): boolean {
    return index < this.items || this.found.has(index);
  }
}
