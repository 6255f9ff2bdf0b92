import type { QueryItem } from '../../model/query.ts';
import type { RegistryState } from '../registry-state.ts';
import type { Rule } from '../rule.ts';
import { type Html, html } from './html.ts';
import type { Site } from './site.ts';
import { typeName } from './words.ts';

/** Rules in words, with the types that they name as links. */
export function ruleList(state: RegistryState, site: Site, rules: readonly Rule[]): Html {
  const name = (type: string): Html =>
    state.types.has(type)
      ? html`<a class="mono" href="${site.links.type(type)}">${typeName(type)}</a>`
      : html`<code>${typeName(type)}</code>`;
  return html`<ul class="rules">${rules.map(
    (rule) =>
      html`<li id="rule-${rule.rule}"><p><strong class="mono">${rule.rule}</strong></p>${inWords(rule, name)}</li>`,
  )}</ul>`;
}

/** Whether a rule is asked when an event of the type comes, or looks at events of the type. */
export function concerns(rule: Rule, type: string): boolean {
  switch (rule.kind) {
    case 'requires':
      return (
        rule.types.includes(type) || (rule.query.items ?? []).some(({ types = [] }) => types.includes(type))
      );
    case 'lifecycle':
      return Object.entries(rule.transitions).some(
        ([before, next]) => before === type || next.includes(type),
      );
    case 'unique':
    case 'compare':
      return rule.types.includes(type);
    default:
      return rule satisfies never;
  }
}

type Name = (type: string) => Html;

function inWords(rule: Rule, name: Name): Html {
  switch (rule.kind) {
    case 'requires':
      return html`<p>${either(rule.types, name)} needs an earlier event that is ${queried(rule.query.items, name)}${
        rule.sameTags !== undefined &&
        rule.sameTags.length > 0 &&
        html`, with the same ${listed(
          rule.sameTags.map((tag) => html`<code>${tag}</code>`),
          'and',
        )}`
      }.</p>`;
    case 'unique':
      return html`<p>No two events of ${either(rule.types, name)} have the same <code>${rule.tag}</code>.</p>`;
    case 'compare':
      return html`<p>In ${either(rule.types, name)} <code>${rule.left}</code> ${OPERATORS[rule.operator]} ${operand(
        rule.right,
      )}.</p>`;
    case 'lifecycle':
      return html`<p>Events with the same <code>${rule.tag}</code> follow each other like this:</p>
<div class="wide"><table><thead><tr><th scope="col">After</th><th scope="col">may come</th></tr></thead><tbody>${Object.entries(
        rule.transitions,
      ).map(
        ([before, next]) =>
          html`<tr><th scope="row">${before === '' ? html`<em>nothing, first</em>` : name(before)}</th><td>${
            next.length === 0 ? html`<em>nothing, it ends</em>` : either(next, name)
          }</td></tr>`,
      )}</tbody></table></div>`;
    default:
      return rule satisfies never;
  }
}

const OPERATORS = {
  equals: 'equals',
  notEquals: 'differs from',
  lt: 'is less than',
  lte: 'is at most',
  gt: 'is greater than',
  gte: 'is at least',
  in: 'is one of',
} as const;

function operand(right: unknown): Html {
  return html`<code>${typeof right === 'string' && right.startsWith('/') ? right : JSON.stringify(right)}</code>`;
}

function queried(items: readonly QueryItem[] | undefined, name: Name): Html {
  if (items === undefined) return html`any event`;
  const said = items.map(({ types, tags }) => {
    const pairs = Object.entries(tags ?? {}).flatMap(([key, value]) =>
      [value].flat().map((one) => html`<code>${key}:${one}</code>`),
    );
    const tagged = pairs.length === 0 ? undefined : html` tagged ${listed(pairs, 'and')}`;
    return html`${types === undefined ? 'any event' : either(types, name)}${tagged}`;
  });
  return listed(said, 'or');
}

function either(types: readonly string[], name: Name): Html {
  return listed(types.map(name), 'or');
}

function listed(pieces: readonly Html[], word: 'and' | 'or'): Html {
  return html`${pieces.map((piece, index) => {
    if (index === 0) return piece;
    return html`${index === pieces.length - 1 ? ` ${word} ` : ', '}${piece}`;
  })}`;
}
