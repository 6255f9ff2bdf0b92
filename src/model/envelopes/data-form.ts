import type { EventParts } from './parts.ts';
import type { Rest } from './rest.ts';

/**
 * Data of CloudEvents may be anything; those of Stele are an object. What is none is kept in one, and
 * `metadata.dataForm` says how:
 *
 * | dataForm | data | was sent as |
 * |---|---|---|
 * | `value` | `{"value": …}` | any other JSON value, or a text of another media type |
 * | `base64` | `{"base64": "…"}` | bytes, as `data_base64` or as a binary body |
 * | `absent` | `{}` | nothing |
 */
export type DataForm =
  | { readonly kind: 'object'; readonly raw: string }
  | { readonly kind: 'value'; readonly raw: string }
  | { readonly kind: 'base64'; readonly text: string }
  | { readonly kind: 'absent' };

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const WRAPPED = '{"value":';

export function isBase64(text: string): boolean {
  return BASE64.test(text);
}

/** The form in which data came, taken out of the rest; data that are not what their form says are an object. */
export function takeDataForm(parts: EventParts, rest: Rest): DataForm {
  const form = formOf(parts);
  if (form.kind !== 'object') rest.take('dataForm', (value): value is string => value === form.kind);
  return form;
}

function formOf({ data, metadata }: EventParts): DataForm {
  const kind = metadata['dataForm'];
  const object = { kind: 'object', raw: data } as const;
  if (kind !== 'value' && kind !== 'base64' && kind !== 'absent') return object;
  const value = JSON.parse(data) as Readonly<Record<string, unknown>>;
  const [name, ...others] = Object.keys(value);
  if (kind === 'absent') return name === undefined ? { kind } : object;
  if (name !== kind || others.length > 0) return object;
  if (kind === 'value') {
    const inner = value[name];
    // An object would come back as the data itself.
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) return object;
    return { kind, raw: data.startsWith(WRAPPED) ? data.slice(WRAPPED.length, -1) : JSON.stringify(inner) };
  }
  const text = value[name];
  return typeof text === 'string' && isBase64(text) ? { kind, text } : object;
}
