import type { NewEvent } from './event.ts';

/**
 * What the service added to the tags and the metadata of an event, as JSON Pointers (RFC 6901) into the event.
 *
 * It is kept with the event: an answer names it, and whether an id that is sent again means the same event is decided
 * without it, since the service may by then add something else, or nothing.
 */
type Added = Pick<NewEvent, 'added'>;

/** For each of some events what was added to it; undefined where nothing was added to any. */
export function additionsOf(events: readonly Added[]): readonly (readonly string[])[] | undefined {
  for (const { added } of events) {
    if (added !== undefined && added.length > 0) return events.map((event) => event.added ?? []);
  }
  return undefined;
}

/** What was added to an event, to be spread into one that is made of it. */
export function addedOf({ added }: Added): Added | undefined {
  return added === undefined || added.length === 0 ? undefined : { added };
}

/** Takes what was added out of the parsed members of an event, in place. Lists that are empty by that go too. */
export function takeOut(members: Record<string, unknown>, added: readonly string[]): void {
  const lists = new Map<unknown[], { readonly holder: object; readonly name: string }>();
  for (const pointer of added) {
    const path = pointer
      .split('/')
      .slice(1)
      .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
    const name = path.pop();
    let place = { holder: members as object, name: '' };
    let target: unknown = members;
    for (const segment of path) {
      if (typeof target !== 'object' || target === null || !Object.hasOwn(target, segment)) break;
      place = { holder: target, name: segment };
      target = Reflect.get(target, segment);
    }
    if (typeof target !== 'object' || target === null || name === undefined) continue;
    if (Array.isArray(target)) lists.set(target, place);
    // In a list this leaves a hole, so that the places behind it stay what they are.
    Reflect.deleteProperty(target, name);
  }
  for (const [list, { holder, name }] of lists) {
    const rest = list.filter(() => true);
    if (rest.length === 0) Reflect.deleteProperty(holder, name);
    else list.splice(0, list.length, ...rest);
  }
}
