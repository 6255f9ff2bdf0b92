import type { NewEvent } from '../model/event.ts';
import { type Check, type CompiledQuery, compileQuery, matches } from '../model/query.ts';
import { type JudgedRequest, termsOfTag } from './judged-request.ts';
import type { RequiresRule } from './rule.ts';
import type { CompiledRule } from './rule-book.ts';

/**
 * An earlier event that matches the query has to be there, with the shared tags of this one.
 *
 * An event with several values of a shared tag asks for one earlier event that has them all, as a query with several values
 * does: what is refused for that would be refused for one of the values too, or is one event short of what was meant.
 */
export function compileRequires(rule: RequiresRule & { readonly rule: string }): CompiledRule {
  const { rule: name, sameTags = [] } = rule;
  const query = compileQuery(rule.query);
  /** The same for every event where no tags are shared. */
  const check = checkOf(query);

  function judge(event: NewEvent, index: number, request: JudgedRequest): void {
    const shared: string[] = [];
    for (const tag of sameTags) {
      const terms = termsOfTag(event.terms, tag);
      if (terms.length === 0) {
        request.break({ rule: name, event: index, reason: `it has no tag ${tag}` });
        return;
      }
      shared.push(...terms);
    }
    // What holds for one event of the request holds for all that ask for the same.
    if (request.note(name, shared.join('\0'), 'asked') !== undefined) return;
    const asked = shared.length === 0 ? check : checkOf(withTerms(query, shared));
    if (isSatisfiedBefore(asked.query, shared, index, request)) return;
    request.guard({ check: asked, rule: name, event: index });
  }

  return { types: rule.types, judge };
}

function checkOf(query: CompiledQuery): Check {
  return { query, after: 0, expect: 'some' };
}

/** The query over events that have the terms too. Whatever matches without naming a type is not the system's own. */
function withTerms({ items }: CompiledQuery, shared: readonly string[]): CompiledQuery {
  if (items === undefined) return { items: [{ types: undefined, terms: shared }] };
  return {
    items: items.map(({ types, terms }) => ({
      types,
      terms: terms.length === 0 ? shared : [...new Set([...terms, ...shared])],
    })),
  };
}

/** Whether an earlier event of the request matches. Of the shared terms the rarest leads to the fewest events. */
function isSatisfiedBefore(
  query: CompiledQuery,
  shared: readonly string[],
  index: number,
  request: JudgedRequest,
): boolean {
  if (index === 0) return false;
  const { events } = request;
  const [first, ...others] = shared;
  if (first === undefined) return events.slice(0, index).some((event) => matches(query, event));
  let rarest = request.withTerm(first);
  for (const term of others) {
    const found = request.withTerm(term);
    if (found.length < rarest.length) rarest = found;
  }
  for (const at of rarest) {
    if (at >= index) return false;
    if (matches(query, events[at] as NewEvent)) return true;
  }
  return false;
}
