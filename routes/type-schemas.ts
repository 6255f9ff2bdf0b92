import { Type } from '@sinclair/typebox';
import { LIMITS } from '../src/limits.ts';
import { TYPE_PATTERN } from '../src/model/tags.ts';
import {
  Compatibility,
  Enforcement,
  type EventType,
  JsonSchemaDocument,
  TagsFromData,
  type TypeVersion,
  VersionInput,
} from '../src/registry/event-type.ts';
import { UpcastOperation } from '../src/registry/upcast-operation.ts';
import { ReadParameters } from './read.ts';

/** The schemas of the requests and answers about event types. */
const TypeName = Type.String({
  pattern: TYPE_PATTERN,
  minLength: 1,
  maxLength: LIMITS.typeLengthMax,
  description: 'The type, as events name it.',
  examples: ['ISSUE.ASSIGNED.SUCCESS'],
});

export const TypeParams = Type.Object({ type: TypeName });
export const TypeVersionParams = Type.Object({
  type: TypeName,
  version: Type.String({
    pattern: '^(?:[1-9][0-9]{0,15}|latest)$',
    description: 'A whole number from 1 on, or `latest`.',
    examples: ['latest'],
  }),
});

export const TypeQuery = Type.Object({ log: ReadParameters.log }, { additionalProperties: false });

/** What the log holds of a type. */
export const TypeFigures = {
  count: Type.Integer({ minimum: 0, description: 'Events of the type in the log.' }),
  firstTimestamp: Type.Optional(
    Type.String({ format: 'date-time', description: 'Of the first event by position.' }),
  ),
  lastTimestamp: Type.Optional(
    Type.String({ format: 'date-time', description: 'Of the last event by position.' }),
  ),
};

export const LatestVersion = Type.Integer({ minimum: 0, description: '0 where there is no version yet.' });

export const TypeAnswer = Type.Object(
  {
    type: TypeName,
    description: Type.String(),
    compatibility: Compatibility,
    enforcement: Enforcement,
    tagsFromData: TagsFromData,
    latestVersion: LatestVersion,
    ...TypeFigures,
  },
  { description: 'A registered type.' },
);

export const VersionAnswer = Type.Object(
  {
    type: TypeName,
    version: Type.Integer({ minimum: 1 }),
    schema: JsonSchemaDocument,
    tagsSchema: Type.Optional(JsonSchemaDocument),
    metadataSchema: Type.Optional(JsonSchemaDocument),
    upcast: Type.Array(UpcastOperation),
    examples: Type.Array(Type.Object({}, { additionalProperties: true })),
    createdAt: Type.String({ format: 'date-time' }),
  },
  { description: 'A version of the schema of a type.' },
);

export const VersionsAnswer = Type.Object(
  { type: TypeName, versions: Type.Array(VersionAnswer) },
  { description: 'All versions, the first one first.' },
);

const { schema, tagsSchema, metadataSchema } = VersionInput.properties;

export const CompatibilityCheck = Type.Object(
  {
    schema,
    tagsSchema,
    metadataSchema,
    sample: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.sampleEventsMax,
        description: 'So many of the latest events of the type are compared with the schemas too.',
      }),
    ),
  },
  { additionalProperties: false },
);

const Fault = Type.Object({ pointer: Type.String(), detail: Type.String() });

export const CompatibilityAnswer = Type.Object(
  {
    compatible: Type.Boolean({ description: 'Whether it could be registered now.' }),
    violations: Type.Array(Fault, { description: 'What the type promises and the schemas break.' }),
    tested: Type.Integer({ minimum: 0, description: 'Stored events that were compared with the schemas.' }),
    failed: Type.Integer({ minimum: 0, description: 'Those of them that do not satisfy them.' }),
    failing: Type.Array(
      Type.Object({
        id: Type.String({ format: 'uuid' }),
        position: Type.Integer({ minimum: 1 }),
        errors: Type.Array(Fault),
      }),
      { description: `The latest ${LIMITS.sampleFailuresMax} of those, with pointers into the event.` },
    ),
  },
  { description: 'What would become of the type.' },
);

export function renderVersion(type: string, one: TypeVersion): Record<string, unknown> {
  const { version, upcast, examples, createdAt } = one;
  return {
    type,
    version,
    schema: one.schema,
    tagsSchema: one.tagsSchema,
    metadataSchema: one.metadataSchema,
    upcast,
    examples,
    createdAt,
  };
}

export function renderType(one: EventType): Record<string, unknown> {
  const { type, description, compatibility, enforcement, tagsFromData, versions } = one;
  return { type, description, compatibility, enforcement, tagsFromData, latestVersion: versions.length };
}
