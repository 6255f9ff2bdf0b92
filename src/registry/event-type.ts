import { type Static, Type } from '@sinclair/typebox';
import { LIMITS } from '../limits.ts';
import { TagKey } from '../model/tags.ts';
import { UpcastOperation } from './upcast-operation.ts';

/**
 * A type of events as the registry knows it: what it means, how strictly it is checked, and the versions of its schema.
 */
export const Compatibility = Type.Union(
  [Type.Literal('none'), Type.Literal('backward'), Type.Literal('forward'), Type.Literal('full')],
  {
    default: 'backward',
    description:
      'What a new version has to keep. `backward`: it accepts what the version before accepts. `forward`: the version before accepts what it accepts. `full`: both.',
  },
);
export type Compatibility = Static<typeof Compatibility>;

export const Enforcement = Type.Union([Type.Literal('off'), Type.Literal('warn'), Type.Literal('enforce')], {
  default: 'enforce',
  description:
    'What becomes of an event that does not satisfy its schema: it is stored, stored and counted, or refused.',
});
export type Enforcement = Static<typeof Enforcement>;

/** Tag keys, each with the JSON Pointer into `data` that its value is taken from where the event has no such tag. */
export const TagsFromData = Type.Record(TagKey, Type.String({ pattern: '^/', maxLength: 1024 }), {
  maxProperties: LIMITS.tagPairsMax,
  additionalProperties: false,
  examples: [{ repositoryId: '/repository_id' }],
});
export type TagsFromData = Static<typeof TagsFromData>;

/** What a client says of a type. */
export const TypeSettings = Type.Object(
  {
    description: Type.Optional(Type.String({ maxLength: 4096 })),
    compatibility: Type.Optional(Compatibility),
    enforcement: Type.Optional(Enforcement),
    tagsFromData: Type.Optional(TagsFromData),
  },
  { additionalProperties: false },
);
export type TypeSettings = Static<typeof TypeSettings>;

/** A JSON Schema 2020-12: an object or a boolean. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };
export const JsonSchemaDocument = Type.Unsafe<JsonSchema>(
  Type.Union([Type.Object({}, { additionalProperties: true }), Type.Boolean()], {
    description: 'JSON Schema 2020-12.',
  }),
);

/** What a client says of a version. */
export const VersionInput = Type.Object(
  {
    schema: JsonSchemaDocument,
    tagsSchema: Type.Optional(JsonSchemaDocument),
    metadataSchema: Type.Optional(JsonSchemaDocument),
    upcast: Type.Optional(
      Type.Array(UpcastOperation, {
        maxItems: 100,
        description:
          'Makes `data` of this version out of `data` of the version before, operation by operation. What it makes of the examples of that version has to satisfy `schema`.',
      }),
    ),
    examples: Type.Optional(
      Type.Array(Type.Object({}, { additionalProperties: true }), {
        maxItems: 20,
        description: 'Events as they would be appended; each has to satisfy the schemas.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type VersionInput = Static<typeof VersionInput>;

export interface TypeVersion {
  readonly version: number;
  /** Of `data`, `tags` and `metadata`. */
  readonly schema: JsonSchema;
  readonly tagsSchema: JsonSchema | undefined;
  readonly metadataSchema: JsonSchema | undefined;
  readonly upcast: readonly UpcastOperation[];
  readonly examples: readonly Readonly<Record<string, unknown>>[];
  readonly createdAt: string;
}

export interface EventType {
  readonly type: string;
  readonly description: string;
  readonly compatibility: Compatibility;
  readonly enforcement: Enforcement;
  readonly tagsFromData: TagsFromData;
  /** Ascending from 1 without gaps; empty for a type that has no schema yet. */
  readonly versions: readonly TypeVersion[];
}
