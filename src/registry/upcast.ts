import type { Fault } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { toPointer } from '../model/faults.ts';
import { isMembers } from './schema-document.ts';
import type { UpcastOperation } from './upcast-operation.ts';

/**
 * Makes the data of a later version out of stored data. The stored data never changes: what an operation touches is copied, the
 * rest is shared.
 *
 * - `rename`, `move`, `copy` and `remove` of something that is not there do nothing: optional members are left out by many events.
 * - `move`, `copy`, `default` and `set` make the objects on their way that are missing, and write over what is there; `default`
 *   leaves it. In an array an index names an item that is there, or the place behind the last one, which is also `-`.
 *   `remove` closes the gap.
 * - A path that leads through a text, a number, a boolean or null is an error, and so is an index past the end.
 */
export class UpcastError extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'UpcastError';
  }
}

/**
 * Applies the operations of one version after the other.
 * @param steps the lists of operations of the versions after the one of the data, in order.
 * @throws UpcastError with a detail for people: what could not be done, and where.
 */
export function upcast(data: unknown, steps: readonly (readonly UpcastOperation[])[]): unknown {
  const room = { left: LIMITS.upcastCharactersMax };
  let result = data;
  let isChanged = false;
  for (const operations of steps) {
    for (const operation of operations) result = apply(result, operation, room);
    isChanged ||= operations.length > 0;
  }
  // Of what was stored the depth is known.
  if (isChanged) take(result, { left: Number.POSITIVE_INFINITY });
  return result;
}

/** What is wrong with a list of operations, whatever the data. The pointers lead into the list. */
export function upcastFaults(operations: readonly UpcastOperation[]): readonly Fault[] {
  return operations.flatMap((operation, i) =>
    faultsOf(operation).map(([member, detail]) => ({ pointer: `/${i}/${member}`, detail })),
  );
}

type Step = readonly [member: string, detail: string];

function faultsOf(operation: UpcastOperation): Step[] {
  const paths = Object.entries(operation).filter(([member]) => member === 'path' || member === 'from');
  const faults: Step[] = paths
    .filter(([, path]) => !isPointer(path))
    .map(([member]) => [
      member,
      'must be a JSON Pointer: / before each name, ~1 for / and ~0 for ~ in a name',
    ]);
  if (faults.length > 0) return faults;
  switch (operation.op) {
    case 'rename':
      if (operation.to.includes('/')) faults.push(['to', 'must be a name, and not a path. Use move']);
      if (stepsOf(operation.path).at(-1) === operation.to) faults.push(['to', 'is the name that it has']);
      return [...faults, ...ofSource('path', operation.path)];
    case 'move':
      if (operation.path === operation.from) faults.push(['path', 'is where it is']);
      if (operation.path.startsWith(`${operation.from}/`)) faults.push(['path', 'lies inside of `from`']);
      return [...faults, ...ofSource('from', operation.from)];
    case 'copy':
      if (operation.path === operation.from) faults.push(['path', 'is where it is']);
      return [...faults, ...ofSource('from', operation.from)];
    case 'remove':
      return ofSource('path', operation.path);
    case 'default':
    case 'set':
      return isTooDeep(operation.value)
        ? [['value', `is nested more than ${LIMITS.jsonDepthMax} levels deep`]]
        : [];
    default:
      return operation satisfies never;
  }
}

function ofSource(member: string, path: string): Step[] {
  return stepsOf(path).at(-1) === '-'
    ? [[member, 'is the place behind the last item, where nothing is']]
    : [];
}

function isPointer(path: unknown): boolean {
  return typeof path === 'string' && /^(?:\/(?:[^/~]|~[01])*)+$/s.test(path);
}

function isTooDeep(value: unknown): boolean {
  try {
    take(value, { left: Number.POSITIVE_INFINITY });
    return false;
  } catch (error) {
    if (error instanceof UpcastError) return true;
    throw error;
  }
}

/** What is still allowed to be written, in characters. */
interface Room {
  left: number;
}

/** Takes the room that a value needs. @throws UpcastError where there is too little, or the value is nested too deeply. */
function take(value: unknown, room: Room, depth = 0): void {
  room.left -= typeof value === 'string' ? value.length + 2 : 2;
  if (room.left < 0) {
    throw new UpcastError(`The operations write more than ${LIMITS.upcastCharactersMax} characters.`);
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth >= LIMITS.jsonDepthMax) {
    throw new UpcastError(`The data would be nested more than ${LIMITS.jsonDepthMax} levels deep.`);
  }
  for (const [name, part] of Object.entries(value)) {
    room.left -= name.length;
    take(part, room, depth + 1);
  }
}

function stepsOf(path: string): string[] {
  return path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Stands for what is not there: `null` is a value. */
const NOTHING = Symbol('nothing');

function apply(data: unknown, operation: UpcastOperation, room: Room): unknown {
  const { op } = operation;
  switch (op) {
    case 'rename': {
      const steps = stepsOf(operation.path);
      if (read(data, steps) === NOTHING) return data;
      return change(data, steps.slice(0, -1), 0, (outer) => renamed(outer, steps, operation.to));
    }
    case 'remove': {
      const steps = stepsOf(operation.path);
      return read(data, steps) === NOTHING ? data : removed(data, steps);
    }
    case 'move': {
      const [from, path] = [stepsOf(operation.from), stepsOf(operation.path)];
      const value = read(data, from);
      if (value === NOTHING) return data;
      if (path.length > from.length && from.every((step, i) => step === path[i])) {
        throw new UpcastError(`${operation.from} cannot be moved into itself.`);
      }
      return written(removed(data, from), path, value);
    }
    case 'copy': {
      const value = read(data, stepsOf(operation.from));
      if (value === NOTHING) return data;
      take(value, room);
      return written(data, stepsOf(operation.path), value);
    }
    case 'default': {
      const steps = stepsOf(operation.path);
      if (read(data, steps) !== NOTHING) return data;
      take(operation.value, room);
      return written(data, steps, operation.value);
    }
    case 'set':
      take(operation.value, room);
      return written(data, stepsOf(operation.path), operation.value);
    default:
      return op satisfies never;
  }
}

/** @throws UpcastError where the way leads through what has no parts. */
function read(data: unknown, steps: readonly string[]): unknown {
  let value = data;
  for (const [i, step] of steps.entries()) {
    if (Array.isArray(value)) {
      const index = indexOf(step, value, steps.slice(0, i + 1));
      value = index < value.length ? value[index] : NOTHING;
    } else if (isMembers(value)) value = Object.hasOwn(value, step) ? value[step] : NOTHING;
    else throw noParts(value, steps.slice(0, i));
    if (value === NOTHING) return NOTHING;
  }
  return value;
}

function written(data: unknown, steps: readonly string[], value: unknown): unknown {
  return change(data, steps, 0, () => value);
}

/** A copy in which what is at the place is what `made` makes of it; objects that are missing on the way are made. */
function change(
  value: unknown,
  steps: readonly string[],
  depth: number,
  made: (value: unknown) => unknown,
): unknown {
  const step = steps[depth];
  if (step === undefined) return made(value);
  if (Array.isArray(value)) {
    const index = indexOf(step, value, steps.slice(0, depth + 1));
    if (index > value.length) {
      throw new UpcastError(`${toPointer(steps.slice(0, depth + 1))} lies past the end of the array.`);
    }
    const copy: unknown[] = [...value];
    copy[index] = change(index < value.length ? value[index] : NOTHING, steps, depth + 1, made);
    return copy;
  }
  const outer = value === NOTHING ? {} : value;
  if (!isMembers(outer)) throw noParts(outer, steps.slice(0, depth));
  const inner = change(Object.hasOwn(outer, step) ? outer[step] : NOTHING, steps, depth + 1, made);
  return withMember(outer, step, inner);
}

/** As a member like any other, also where the name is `__proto__`. */
function withMember(members: Readonly<Record<string, unknown>>, name: string, value: unknown): object {
  const copy = { ...members };
  Object.defineProperty(copy, name, { value, writable: true, enumerable: true, configurable: true });
  return copy;
}

function removed(data: unknown, steps: readonly string[]): unknown {
  const last = steps.at(-1) ?? '';
  return change(data, steps.slice(0, -1), 0, (outer) => {
    if (Array.isArray(outer)) return outer.toSpliced(indexOf(last, outer, steps), 1);
    return Object.fromEntries(Object.entries(outer ?? {}).filter(([name]) => name !== last));
  });
}

/** In its place among the members. */
function renamed(outer: unknown, steps: readonly string[], to: string): unknown {
  if (!isMembers(outer)) throw new UpcastError(`${toPointer(steps)} is an item of an array and has no name.`);
  const from = steps.at(-1);
  return Object.fromEntries(
    Object.entries(outer).flatMap(([name, value]) => {
      if (name === from) return [[to, value]];
      return name === to ? [] : [[name, value]];
    }),
  );
}

function indexOf(step: string, { length }: readonly unknown[], steps: readonly string[]): number {
  if (step === '-') return length;
  if (!/^(?:0|[1-9]\d{0,8})$/.test(step)) {
    throw new UpcastError(`${toPointer(steps)} is no index of the array.`);
  }
  return Number(step);
}

function noParts(value: unknown, steps: readonly string[]): UpcastError {
  const what = value === null ? 'null' : `a ${typeof value}`;
  return new UpcastError(`${toPointer(steps) || 'The data'} is ${what}, which has no members.`);
}
