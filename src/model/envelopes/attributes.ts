import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { StoreError } from '../../errors.ts';
import { Metadata } from '../event.ts';
import { inspectJson } from '../json-text.ts';
import type { DraftContext, DraftEvent } from './draft.ts';
import type { EventParts } from './parts.ts';
import { isName, type Rest } from './rest.ts';
import { SentObject } from './sent-object.ts';
import { pointerTo } from './stele-member.ts';

/**
 * The context attributes of CloudEvents 1.0, and what they are to Stele.
 *
 * `id`, `source`, `type` and `time` are members of the event. Every other attribute is a member of the metadata under
 * its own name, save those that Stele knows by a name in camel case: their names are those in lower case. What no
 * attribute can say (names in camel case, lists, objects, texts with control characters) goes into attributes that begin
 * with `stele`, which are Stele's alone.
 */
export type AttributeValue = string | number | boolean;

/** An attribute as it was sent: its JSON text and its place. */
export interface SentAttribute {
  readonly value: AttributeValue;
  readonly raw: string;
  readonly at: string;
}

/** The source of an event that has none. It says nothing, and is not kept. */
export const NO_SOURCE = 'urn:stele:log';
export const ATTRIBUTE_NAME = /^[a-z0-9]+$/;
const STELE = /^stele/;

/** What the specification defines; `data` is no attribute, and none may be called so. */
const CORE: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'time',
  'subject',
  'datacontenttype',
  'dataschema',
  'data',
]);
/** Of the core, those that are members of the metadata. They are never empty. */
const CORE_METADATA = ['subject', 'datacontenttype', 'dataschema'] as const;

const ALIASES: ReadonlyMap<string, keyof Metadata> = new Map(
  (Object.keys(Metadata.properties) as (keyof Metadata)[])
    .filter((name) => name !== 'source' && name !== name.toLowerCase())
    .map((name) => [name.toLowerCase(), name]),
);
/** Of an official extension, so that a value of another kind is a mistake and no other attribute of this name. */
const OFFICIAL: readonly string[] = ['correlationid', 'causationid'];
const namedChecks = new Map(
  [...ALIASES.values()].map((name) => [name, TypeCompiler.Compile(Type.Required(Metadata.properties[name]))]),
);

const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 } as const;

/** A text that an attribute can hold: no control characters, nothing that is no character. */
export function isAttributeText(value: unknown): value is string {
  return typeof value === 'string' && !/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(value);
}

/** What is wrong with a value of an attribute, if anything. */
export function faultOf(value: unknown): string | undefined {
  if (typeof value === 'boolean') return undefined;
  if (typeof value === 'number') {
    const isInt32 = Number.isInteger(value) && value >= INT32.min && value <= INT32.max;
    return isInt32 ? undefined : 'is a number that is no integer of 32 bits';
  }
  if (typeof value !== 'string') return 'is neither a text nor an integer nor a boolean';
  return isAttributeText(value) ? undefined : 'holds a character that no attribute may hold';
}

/** The member of the metadata that an attribute is. */
function memberOf(name: string, value: unknown): string {
  const alias = ALIASES.get(name);
  if (alias === undefined) return name;
  return OFFICIAL.includes(name) || namedChecks.get(alias)?.Check(value) === true ? alias : name;
}

/** Reads the attributes into an event. Their values have been looked at by `faultOf`. */
export function readAttributes(
  attributes: ReadonlyMap<string, SentAttribute>,
  draft: DraftEvent,
  { faults }: DraftContext,
): void {
  for (const [name, { value, raw, at }] of attributes) {
    if (name === 'type') draft.set('type', raw, at);
    else if (name === 'time') draft.set('timestamp', raw, at);
    else if (name === 'source' && value !== NO_SOURCE) draft.setMetadata('source', raw, at);
    else if (!STELE.test(name) && (!CORE.has(name) || isCoreMetadata(name)))
      draft.setMetadata(memberOf(name, value), raw, at);
  }
  for (const [name, attribute] of attributes) {
    if (STELE.test(name)) readSteleAttribute(name, attribute, draft, faults);
  }
}

function isCoreMetadata(name: string): boolean {
  return (CORE_METADATA as readonly string[]).includes(name);
}

function readSteleAttribute(
  name: string,
  { value, at }: SentAttribute,
  draft: DraftEvent,
  faults: DraftContext['faults'],
): void {
  switch (name) {
    case 'steleversion':
      if (typeof value === 'string' && /^[1-9]\d{0,15}$/.test(value)) draft.set('version', value, at);
      else faults.addAt(at, 'is not a version in decimal digits');
      return;
    case 'steleunset':
      if (value === 'datacontenttype') draft.unset('datacontenttype');
      else faults.addAt(at, 'is not `datacontenttype`');
      return;
    case 'steletags':
      draft.set('tags', objectIn(value, at, faults)?.raw, at);
      return;
    case 'stelemetadata': {
      const sent = objectIn(value, at, faults)?.sent;
      for (const member of sent?.names ?? [])
        draft.setMetadata(member, sent?.raw(member), pointerTo(at, member));
      return;
    }
    // Where the event stood in a log that it was read from, and why it was shown there as it is: here that is another thing.
    case 'steleposition':
    case 'stelerecordedat':
    case 'steleproblem':
      return;
    default:
      faults.addAt(at, 'is a name that is reserved for what Stele says itself');
  }
}

/** A JSON object in the text of an attribute. */
function objectIn(
  value: AttributeValue,
  at: string,
  faults: DraftContext['faults'],
): { raw: string; sent: SentObject } | undefined {
  if (typeof value !== 'string') {
    faults.addAt(at, 'is not the JSON text of an object');
    return undefined;
  }
  try {
    const { root, text } = inspectJson(value, 1);
    if (root.members !== undefined) return { raw: text, sent: new SentObject(text, root) };
    faults.addAt(at, 'is not the JSON text of an object');
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const code = error.code === 'UNSTORABLE' ? error.code : 'VALIDATION_FAILED';
    for (const { pointer, detail } of error.faults ?? []) faults.addAt(at + pointer, detail, code);
  }
  return undefined;
}

/**
 * The attributes of an event, in the order in which people expect them. What they cannot say stays in the rest, for
 * `steleAttributes`.
 *
 * @param isSayable whether an attribute is to be said as it is: headers, say, have only texts.
 */
export function attributesOf(
  parts: EventParts,
  rest: Rest,
  isSayable: (name: string, value: AttributeValue) => boolean = () => true,
): Map<string, AttributeValue> {
  const attributes = new Map<string, AttributeValue>([
    ['specversion', '1.0'],
    ['id', rest.takeId(isAttributeName)],
    ['source', rest.take('source', isOwnSource) ?? NO_SOURCE],
    ['type', parts.type],
    ['time', parts.timestamp],
  ]);
  const members = Object.entries(rest.metadata);
  const isFirst = ([name]: [string, unknown]) => isCoreMetadata(name);
  for (const [member, value] of [...members.filter(isFirst), ...members.filter((one) => !isFirst(one))]) {
    if (!isAttributeValue(value)) continue;
    const name = nameOf(member, value);
    if (name === undefined || attributes.has(name) || !isSayable(name, value)) continue;
    attributes.set(name, value);
    rest.take(member, isAttributeValue);
  }
  return attributes;
}

/** The attribute that says a member of the metadata, if any does. */
function nameOf(member: string, value: AttributeValue): string | undefined {
  if (isCoreMetadata(member)) return typeof value === 'string' && value !== '' ? member : undefined;
  const name = ALIASES.get(member.toLowerCase()) === member ? member.toLowerCase() : member;
  if (!ATTRIBUTE_NAME.test(name) || STELE.test(name) || CORE.has(name)) return undefined;
  return memberOf(name, value) === member ? name : undefined;
}

function isAttributeValue(value: unknown): value is AttributeValue {
  return faultOf(value) === undefined;
}

function isAttributeName(value: unknown): value is string {
  return isName(value) && isAttributeText(value);
}

function isOwnSource(value: unknown): value is string {
  return isAttributeText(value) && value !== '' && value !== NO_SOURCE;
}

/** What only Stele says of an event, as attributes. */
export function steleAttributes(parts: EventParts, rest: Rest): Map<string, string> {
  const { version, tags, position, recordedAt, problem } = parts;
  const attributes = new Map<string, string>();
  if (version !== 1) attributes.set('steleversion', `${version}`);
  if (Object.keys(tags).length > 0) attributes.set('steletags', asciiJson(tags));
  const { metadata, unset } = rest;
  if (Object.keys(metadata).length > 0) attributes.set('stelemetadata', asciiJson(metadata));
  if (unset.length > 0) attributes.set('steleunset', unset.join(' '));
  attributes.set('steleposition', `${position}`).set('stelerecordedat', recordedAt);
  if (problem !== undefined) attributes.set('steleproblem', problem.detail.replace(/[\p{Cc}]/gu, ' '));
  return attributes;
}

/** JSON whose text an attribute can hold: without characters that it may not hold, which JSON leaves as they are. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{Cc}\p{Noncharacter_Code_Point}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
