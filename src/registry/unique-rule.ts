import type { NewEvent } from '../model/event.ts';
import { type JudgedRequest, termsOfTag } from './judged-request.ts';
import type { UniqueRule } from './rule.ts';
import type { CompiledRule } from './rule-book.ts';

/** No two events of the types have the same value of the tag. An event without the tag takes no value. */
export function compileUnique(rule: UniqueRule & { readonly rule: string }): CompiledRule {
  const { rule: name, tag } = rule;
  const types = new Set(rule.types);

  function judge({ terms }: NewEvent, index: number, request: JudgedRequest): void {
    for (const term of termsOfTag(terms, tag)) {
      const other = request.note(name, term, `${index}`);
      if (other !== undefined) {
        const reason = `event ${other} of the request has the same value of the tag`;
        request.break({ rule: name, event: index, reason });
        return;
      }
      request.guard({
        check: { query: { items: [{ types, terms: [term] }] }, after: 0 },
        rule: name,
        event: index,
      });
    }
  }

  return { types, judge };
}
