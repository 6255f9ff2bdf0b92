import type { NewEvent } from '../model/event.ts';
import { type PointerPath, pointerPath, valueAt } from '../model/json-pointer.ts';
import { isSameJson } from '../model/json-value.ts';
import { canonicalTimestamp, compareTimestamps } from '../model/timestamp.ts';
import { compareText } from '../store/order.ts';
import type { JudgedRequest } from './judged-request.ts';
import type { CompareOperator, CompareRule } from './rule.ts';
import type { CompiledRule } from './rule-book.ts';

/** Two members of an event, or a member and a value, stand in a relation: the event alone decides. */
export function compileCompare(rule: CompareRule & { readonly rule: string }): CompiledRule {
  const { rule: name, operator } = rule;
  const left = pointerPath(rule.left) ?? [];
  const right = operandOf(rule.right);

  function judge(_event: NewEvent, index: number, request: JudgedRequest): void {
    const members = request.members(index);
    const other = 'path' in right ? valueAt(members, right.path) : right.value;
    if (stands(valueAt(members, left), operator, other)) return;
    const reason = `${rule.left} ${operator} ${'path' in right ? rule.right : 'its value'} does not hold`;
    request.break({ rule: name, event: index, reason });
  }

  return { types: rule.types, judge };
}

/** The right side of a comparison: a text that begins with a slash is a pointer, anything else the value itself. */
export function operandOf(right: unknown): { readonly path: PointerPath } | { readonly value: unknown } {
  const path = typeof right === 'string' && right.startsWith('/') ? pointerPath(right) : undefined;
  return path === undefined ? { value: right } : { path };
}

/** Whether a relation holds. What is missing is undefined, and only differs from everything. */
export function stands(left: unknown, operator: CompareOperator, right: unknown): boolean {
  if (left === undefined || right === undefined) return operator === 'notEquals';
  switch (operator) {
    case 'equals':
      return isSameJson(left, right);
    case 'notEquals':
      return !isSameJson(left, right);
    case 'in':
      return Array.isArray(right) && right.some((one) => isSameJson(left, one));
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return isOrdered(order(left, right), operator);
    default:
      return operator satisfies never;
  }
}

function isOrdered(order: number | undefined, operator: 'lt' | 'lte' | 'gt' | 'gte'): boolean {
  if (order === undefined) return false;
  if (operator === 'lt') return order < 0;
  if (operator === 'lte') return order <= 0;
  return operator === 'gt' ? order > 0 : order >= 0;
}

/**
 * Numbers by value, texts by code points; undefined where there is no order. Two texts that both are times in RFC 3339 are
 * compared as times: their texts would put half a second past nine before nine, and know nothing of offsets.
 */
function order(left: unknown, right: unknown): number | undefined {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left !== 'string' || typeof right !== 'string') return undefined;
  const earlier = canonicalTimestamp(left);
  const later = canonicalTimestamp(right);
  if (earlier.ok && later.ok) return compareTimestamps(earlier.value, later.value);
  return compareText(left, right);
}
