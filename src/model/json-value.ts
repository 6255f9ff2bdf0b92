/**
 * JSON values: whether two are the same, one merged into another (JSON Merge Patch, RFC 7396), and the way from one to
 * another (JSON Patch, RFC 6902).
 */
type Members = Record<string, unknown>;

/** Equality of JSON values: members in any order, numbers by value. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((value, i) => isSameJson(value, b[i]))
    );
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isSameJson(left[key], right[key]))
  );
}

/**
 * The target with a patch merged into it; an object that is the target is changed in place. Members named `__proto__`
 * are members like any other.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMembers(patch)) return patch;
  const merged = isMembers(target) ? target : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else setMember(merged, name, mergePatch(memberOf(merged, name), value));
  }
  return merged;
}

/** One step from a value to another. `before` is what stood there; whoever applies the patch passes over it. */
export type PatchOperation =
  | { readonly op: 'add'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string; readonly before: unknown }
  | { readonly op: 'replace'; readonly path: string; readonly before: unknown; readonly value: unknown };

/** The operations that make `after` of `before`. Arrays are replaced as wholes. */
export function jsonDiff(before: unknown, after: unknown, path = ''): PatchOperation[] {
  if (!isMembers(before) || !isMembers(after)) {
    return isSameJson(before, after) ? [] : [{ op: 'replace', path, before, value: after }];
  }
  const operations: PatchOperation[] = [];
  for (const [name, value] of Object.entries(before)) {
    const place = `${path}/${escapeSegment(name)}`;
    if (!Object.hasOwn(after, name)) operations.push({ op: 'remove', path: place, before: value });
    else operations.push(...jsonDiff(value, memberOf(after, name), place));
  }
  for (const [name, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, name))
      operations.push({ op: 'add', path: `${path}/${escapeSegment(name)}`, value });
  }
  return operations;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function memberOf(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

function setMember(members: Members, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(members, name, { value, writable: true, enumerable: true, configurable: true });
  else members[name] = value;
}

/** A member name as a segment of a JSON Pointer (RFC 6901). */
export function escapeSegment(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
