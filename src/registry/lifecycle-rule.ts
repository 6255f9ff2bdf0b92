import type { NewEvent } from '../model/event.ts';
import type { LastIn } from '../model/query.ts';
import { type JudgedRequest, termsOfTag } from './judged-request.ts';
import type { LifecycleRule } from './rule.ts';
import type { CompiledRule } from './rule-book.ts';

/** Every type that a lifecycle knows: those that something follows, and those that only follow. */
export function lifecycleTypes({ transitions }: Pick<LifecycleRule, 'transitions'>): Set<string> {
  const types = new Set(Object.keys(transitions));
  types.delete('');
  for (const next of Object.values(transitions)) for (const type of next) types.add(type);
  return types;
}

/** Events of one value of a tag follow each other as the transitions say. Each value of an event counts for itself. */
export function compileLifecycle(rule: LifecycleRule & { readonly rule: string }): CompiledRule {
  const { rule: name, tag, transitions } = rule;
  const types = lifecycleTypes(rule);
  const before = new Map<string, LastIn>();
  for (const type of types) before.set(type, mayPrecede(transitions, type));

  function judge({ type, terms }: NewEvent, index: number, request: JudgedRequest): void {
    const expect = before.get(type) as LastIn;
    const values = termsOfTag(terms, tag);
    if (values.length === 0) request.break({ rule: name, event: index, reason: `it has no tag ${tag}` });
    for (const term of values) {
      const last = request.note(name, term, type);
      if (last === undefined) {
        const check = { query: { items: [{ types, terms: [term] }] }, after: 0, expect };
        request.guard({ check, rule: name, event: index });
      } else if (!expect.types.has(last)) {
        const reason = `it cannot follow ${last}, which stands before it in the request`;
        request.break({ rule: name, event: index, reason });
        return;
      }
    }
  }

  return { types, judge };
}

function mayPrecede(transitions: LifecycleRule['transitions'], type: string): LastIn {
  const types = new Set<string>();
  let orNone = false;
  for (const [last, next] of Object.entries(transitions)) {
    if (!next.includes(type)) continue;
    if (last === '') orNone = true;
    else types.add(last);
  }
  return { types, orNone };
}
