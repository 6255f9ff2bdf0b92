import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../limits.ts';
import type { Faults } from '../faults.ts';
import { inspectJson } from '../json-text.ts';
import {
  ATTRIBUTE_NAME,
  type AttributeValue,
  attributesOf,
  isAttributeText,
  readAttributes,
  type SentAttribute,
  steleAttributes,
} from './attributes.ts';
import { type DataForm, takeDataForm } from './data-form.ts';
import { type Draft, type DraftContext, DraftEvent } from './draft.ts';
import type { EventParts } from './parts.ts';
import { Rest } from './rest.ts';

/**
 * CloudEvents 1.0 in binary mode: the attributes are headers, the body is the data in its own media type.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
const PREFIX = 'ce-';
const REQUIRED = ['specversion', 'id', 'source', 'type'] as const;
const REQUIRED_HEADERS = REQUIRED.map((name) => PREFIX + name);
const UTF8 = /^[^;]*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;
const JSON_MEDIA = /^[\w.+-]+\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;
const TEXT_MEDIA =
  /^(?:text\/[\w.+-]+|application\/(?:xml|javascript|yaml|x-www-form-urlencoded|[\w.-]+\+(?:xml|yaml)))\s*(?:;|$)/i;
/** RFC 9110, section 8.3.1. Servers refuse a Content-Type that is none, this one among them. */
const MEDIA_TYPE =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[ \t]*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[ !#-[\]-~]*"))*$/;
const JSON_TYPE = 'application/json';
const BYTES_TYPE = 'application/octet-stream';

/** A message of HTTP, as far as it says an event. Names and values of headers in turn, as they were sent. */
export interface BinaryMessage {
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** Whether headers say an event: those of other modes say none. */
export function isBinaryMode(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  // Asked of every append, of which most carry none of them.
  if (REQUIRED_HEADERS.every((header) => headers[header] === undefined)) return false;
  return !/^\s*application\/cloudevents/i.test(`${headers['content-type'] ?? ''}`);
}

/** Reads an event in binary mode. Faults name the header, or point into the body. */
export function decodeBinary({ rawHeaders, body }: BinaryMessage, context: DraftContext): Draft {
  const { faults } = context;
  const attributes = new Map<string, SentAttribute>();
  let contentType: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const header = rawHeaders[index]?.toLowerCase() ?? '';
    const value = rawHeaders[index + 1] ?? '';
    if (header === 'content-type') contentType = value.trim();
    if (!header.startsWith(PREFIX)) continue;
    readHeader(header, value, attributes, faults);
  }
  for (const name of REQUIRED) {
    const value = attributes.get(name)?.value;
    if (value === undefined) faults.addAt(PREFIX + name, 'is missing');
    else if (value === '') faults.addAt(PREFIX + name, 'is empty');
  }
  const version = attributes.get('specversion')?.value;
  if (version !== undefined && version !== '1.0') faults.addAt('ce-specversion', 'is not 1.0');
  const draft = new DraftEvent().metadataAt('ce-stelemetadata');
  if (contentType !== undefined) {
    draft.setMetadata('datacontenttype', JSON.stringify(contentType), 'Content-Type');
  }
  readBody(draft, body, contentType, faults);
  readAttributes(attributes, draft, context);
  const id = attributes.get('id')?.value;
  if (typeof id === 'string' && id.length > LIMITS.metadataValueLengthMax) {
    faults.addAt('ce-id', `is longer than ${LIMITS.metadataValueLengthMax} characters`);
  }
  return draft.setId(typeof id === 'string' ? id : undefined, 'ce-id', context).finish();
}

function readHeader(
  header: string,
  text: string,
  attributes: Map<string, SentAttribute>,
  faults: Faults,
): void {
  const name = header.slice(PREFIX.length);
  if (!ATTRIBUTE_NAME.test(name)) {
    faults.addAt(header, 'is not the name of an attribute: lower-case letters and digits');
  } else if (name === 'datacontenttype' || name === 'data') {
    faults.addAt(header, name === 'data' ? 'is not the name of an attribute' : 'is said by Content-Type');
  } else if (attributes.has(name)) {
    faults.addAt(header, 'is given more than once');
  } else {
    const value = decodeHeader(text);
    if (value === undefined) faults.addAt(header, 'is not percent-encoded UTF-8');
    else if (!isAttributeText(value)) faults.addAt(header, 'holds a character that no attribute may hold');
    else attributes.set(name, { value, raw: JSON.stringify(value), at: header });
  }
}

/**
 * The text that a header value stands for: freed of quotes, then percent-decoded once. Undefined where it is neither
 * ASCII nor the encoding of UTF-8: a quote that is left open, `%` without two digits, an overlong form.
 */
export function decodeHeader(value: string): string | undefined {
  const trimmed = value.trim();
  const text = trimmed.startsWith('"') ? unquoted(trimmed) : trimmed;
  if (text === undefined || /[^\t -~]/.test(text)) return undefined;
  if (!text.includes('%')) return text;
  try {
    // It knows neither `+` nor anything but percent signs, and refuses what is not UTF-8.
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function unquoted(text: string): string | undefined {
  return /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]?.replace(/\\(.)/g, '$1');
}

/** The header value of a text: blanks, quotes, percent signs and whatever is not printable ASCII are encoded. */
export function encodeHeader(text: string): string {
  return text.replace(/[^!#$&-~]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

function readBody(draft: DraftEvent, body: Buffer, contentType: string | undefined, faults: Faults): void {
  if (body.length === 0) {
    draft.setMetadata('dataForm', '"absent"', 'Content-Type').set('data', '{}', '');
    return;
  }
  if (contentType === undefined || JSON_MEDIA.test(contentType)) {
    if (!UTF8.test(contentType ?? '') || !isUtf8(body)) {
      faults.addAt('', 'is not JSON in UTF-8');
      return;
    }
    const { text, root } = inspectJson(body.toString('utf8'), 0, { faults });
    const raw = text.slice(root.start, root.end);
    if (raw.startsWith('{')) {
      draft.set('data', raw, '');
      return;
    }
    draft.setMetadata('dataForm', '"value"', '');
    draft.setWrapped('value', raw, '');
  } else if (isTextBody(body, contentType)) {
    draft.setMetadata('dataForm', '"value"', '');
    draft.setWrapped('value', JSON.stringify(body.toString('utf8')), '');
  } else {
    draft.setMetadata('dataForm', '"base64"', '');
    draft.setWrapped('base64', JSON.stringify(body.toString('base64')), '');
  }
}

/** Whether bytes of a media type are kept as a text. */
function isTextBody(body: Buffer, contentType: string): boolean {
  return TEXT_MEDIA.test(contentType) && UTF8.test(contentType) && isUtf8(body) && !body.includes(0);
}

/** Headers of an answer, names and values in turn, and its body. */
export interface BinaryAnswer {
  readonly headers: readonly string[];
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

export function encodeBinary(parts: EventParts): BinaryAnswer {
  const { contentType, body, isFormSaid, isTypeSaid } = bodyOf(parts);
  const rest = new Rest(parts);
  if (isFormSaid) takeDataForm(parts, rest);
  if (isTypeSaid) rest.take('datacontenttype', isAttributeText);
  else if (contentType !== undefined) rest.markUnset('datacontenttype');
  // Where headers hold numbers and booleans, nobody can tell them from texts.
  const attributes = attributesOf(
    parts,
    rest,
    (name, value) => name !== 'datacontenttype' && typeof value === 'string',
  );
  const headers: string[] = [];
  for (const [name, value] of [...attributes, ...steleAttributes(parts, rest)] as [
    string,
    AttributeValue,
  ][]) {
    headers.push(PREFIX + name, encodeHeader(`${value}`));
  }
  return { headers, contentType, body };
}

interface BinaryBody {
  readonly contentType: string | undefined;
  readonly body: Buffer;
  /** Whether reading them gives back the form of the data, and its media type. */
  readonly isFormSaid: boolean;
  readonly isTypeSaid: boolean;
}

/** The body in the media type of the data if that is how it would be read back, else as JSON. */
function bodyOf(parts: EventParts): BinaryBody {
  const type = parts.metadata['datacontenttype'];
  const form = takeDataForm(parts, new Rest(parts));
  const own = typeof type === 'string' && isContentType(type) ? type : undefined;
  const natural = naturalBody(form, own);
  if (natural !== undefined) return natural;
  const isJson = own !== undefined && JSON_MEDIA.test(own) && UTF8.test(own);
  const contentType = isJson ? own : JSON_TYPE;
  const raw = form.kind === 'value' ? form.raw : parts.data;
  const isFormSaid = form.kind === 'value' || form.kind === 'object';
  return { contentType, body: Buffer.from(raw), isFormSaid, isTypeSaid: isJson };
}

function naturalBody(form: DataForm, own: string | undefined): BinaryBody | undefined {
  const said = { isFormSaid: true, isTypeSaid: true };
  if (form.kind === 'absent')
    return { contentType: own, body: Buffer.alloc(0), isFormSaid: true, isTypeSaid: own !== undefined };
  if (form.kind === 'value' && own !== undefined && !JSON_MEDIA.test(own)) {
    const value: unknown = JSON.parse(form.raw);
    if (typeof value !== 'string' || value === '') return undefined;
    const body = Buffer.from(value);
    return isTextBody(body, own) ? { contentType: own, body, ...said } : undefined;
  }
  if (form.kind !== 'base64') return undefined;
  const body = Buffer.from(form.text, 'base64');
  if (body.length === 0 || body.toString('base64') !== form.text) return undefined;
  if (own === undefined) return { contentType: BYTES_TYPE, body, isFormSaid: true, isTypeSaid: false };
  return JSON_MEDIA.test(own) || isTextBody(body, own) ? undefined : { contentType: own, body, ...said };
}

function isContentType(text: string): boolean {
  return MEDIA_TYPE.test(text) && !/^application\/cloudevents/i.test(text);
}
