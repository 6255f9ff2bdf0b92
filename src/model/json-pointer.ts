/**
 * JSON Pointers (RFC 6901): the way to a member of a document.
 *
 * Only members of the document's own are found: `/constructor` leads nowhere in an object that has no such member.
 */
export type PointerPath = readonly string[];

/** The names that a pointer goes through; undefined where it is none: an escape that is not `~0` or `~1`, no slash in front. */
export function pointerPath(pointer: string): PointerPath | undefined {
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** What stands at the end of a path; undefined where nothing does, which is no value of JSON. */
export function valueAt(document: unknown, path: PointerPath): unknown {
  let value = document;
  for (const name of path) {
    if (Array.isArray(value)) {
      if (!/^(?:0|[1-9]\d*)$/.test(name)) return undefined;
      value = value[Number(name)];
    } else if (typeof value === 'object' && value !== null && Object.hasOwn(value, name)) {
      value = (value as Readonly<Record<string, unknown>>)[name];
    } else {
      return undefined;
    }
  }
  return value;
}
