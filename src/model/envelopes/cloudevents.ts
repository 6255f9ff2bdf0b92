import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { LIMITS } from '../../limits.ts';
import { Text } from '../text.ts';
import {
  ATTRIBUTE_NAME,
  attributesOf,
  faultOf,
  readAttributes,
  type SentAttribute,
  steleAttributes,
} from './attributes.ts';
import { isBase64, takeDataForm } from './data-form.ts';
import { type Draft, type DraftContext, DraftEvent } from './draft.ts';
import type { EventParts } from './parts.ts';
import { Rest } from './rest.ts';
import type { SentObject } from './sent-object.ts';

/**
 * CloudEvents 1.0 in structured mode: `application/cloudevents+json`, and as a list
 * `application/cloudevents-batch+json`. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
const Filled = Text({ minLength: 1, maxLength: LIMITS.metadataValueLengthMax });
/** Null is the same as not there. */
const Optional = (schema: ReturnType<typeof Text>) => Type.Optional(Type.Union([schema, Type.Null()]));

export const CloudEvent = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Filled,
    source: Filled,
    type: Type.String({ minLength: 1 }),
    time: Optional(Text({ minLength: 1 })),
    subject: Optional(Text({ minLength: 1 })),
    datacontenttype: Optional(Text({ minLength: 1 })),
    dataschema: Optional(Text({ minLength: 1 })),
    data: Type.Optional(Type.Unknown({ description: 'Any JSON value.' })),
    data_base64: Optional(Text({ description: 'Bytes. Not beside `data`.' })),
  },
  {
    additionalProperties: true,
    description:
      'A CloudEvent. Extension attributes are texts, integers of 32 bits and booleans; their names are lower-case letters and digits.',
  },
);
export type CloudEvent = Static<typeof CloudEvent>;

export const cloudEventCheck = TypeCompiler.Compile(CloudEvent);

const NO_ATTRIBUTE: readonly string[] = ['data', 'data_base64'];

export function decodeCloudEvent(value: CloudEvent, sent: SentObject, context: DraftContext): Draft {
  const { faults } = context;
  const attributes = new Map<string, SentAttribute>();
  const members = value as Readonly<Record<string, unknown>>;
  for (const name of sent.names) {
    const member = members[name];
    if (NO_ATTRIBUTE.includes(name) || member === null) continue;
    const fault = ATTRIBUTE_NAME.test(name)
      ? faultOf(member)
      : 'is not the name of an attribute: lower-case letters and digits';
    if (fault !== undefined) faults.add([name], fault);
    else
      attributes.set(name, {
        value: member as SentAttribute['value'],
        raw: sent.raw(name) ?? '',
        at: `/${name}`,
      });
  }
  const draft = new DraftEvent().metadataAt('/stelemetadata');
  readData(draft, value, sent, context);
  readAttributes(attributes, draft, context);
  return draft.setId(value.id, '/id', context).finish();
}

function readData(draft: DraftEvent, value: CloudEvent, sent: SentObject, { faults }: DraftContext): void {
  const { data_base64: base64 } = value;
  const data = sent.raw('data');
  if (typeof base64 === 'string') {
    if (data !== undefined) faults.add(['data_base64'], 'stands beside `data`');
    if (!isBase64(base64)) faults.add(['data_base64'], 'is not base64 (RFC 4648, section 4)');
    draft.setMetadata('dataForm', '"base64"', '/data_base64');
    draft.setWrapped('base64', sent.raw('data_base64') ?? '', '/data_base64');
  } else if (data === undefined) {
    draft.setMetadata('dataForm', '"absent"', '/data').set('data', '{}', '/data');
  } else if (data.startsWith('{')) {
    draft.set('data', data, '/data');
  } else {
    draft.setMetadata('dataForm', '"value"', '/data');
    draft.setWrapped('value', data, '/data');
  }
}

export function encodeCloudEvent(parts: EventParts): string {
  const rest = new Rest(parts);
  const form = takeDataForm(parts, rest);
  const attributes = [...attributesOf(parts, rest), ...steleAttributes(parts, rest)];
  const text = JSON.stringify(Object.fromEntries(attributes)).slice(0, -1);
  switch (form.kind) {
    case 'object':
    case 'value':
      return `${text},"data":${form.raw}}`;
    case 'base64':
      return `${text},"data_base64":${JSON.stringify(form.text)}}`;
    case 'absent':
      return `${text}}`;
    default:
      return form satisfies never;
  }
}
