import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { TYPE_PATTERN } from '../model/tags.ts';
import {
  Compatibility,
  Enforcement,
  type JsonSchema,
  type TypeSettings,
  TypeSettings as TypeSettingsSchema,
  type VersionInput,
  VersionInput as VersionInputSchema,
} from './event-type.ts';
import { CompareRule, LifecycleRule, RequiresRule, type RuleInput, UniqueRule } from './rule.ts';

/**
 * The files of a catalogue, which is a folder:
 *
 *     catalogue.yaml            what all of its types share
 *     types/<type>.yaml         a type with all of its versions
 *     rules/<rule>.yaml         a rule, as `PUT /v1/rules/{rule}` takes it
 *
 * A file a type, and not one for a noun or one for all: the history of a file is the history of one contract, two
 * branches that add a type do not meet in a file, and the owner of a type can be named by its path. What that would
 * make every file repeat is said once in catalogue.yaml.
 */
const JsonSchemaObject = Type.Unsafe<JsonSchema>(
  Type.Union([Type.Object({}, { additionalProperties: true }), Type.Boolean()], {
    description: 'JSON Schema 2020-12. `#/$defs/<name>` may name a definition of catalogue.yaml.',
  }),
);

const CatalogueName = Type.String({
  pattern: '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$',
  description: 'Name of the catalogue; that of its folder by custom.',
});

export const CatalogueFile = Type.Object(
  {
    name: CatalogueName,
    description: Type.String({ minLength: 1, maxLength: 4096 }),
    naming: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        description: 'Regular expression that every name of a type has to match, from its start to its end.',
        examples: ['[A-Z][A-Z0-9_]*(?:\\.[A-Z][A-Z0-9_]*){1,3}'],
      }),
    ),
    defaults: Type.Optional(
      Type.Object(
        {
          compatibility: Type.Optional(Compatibility),
          enforcement: Type.Optional(Enforcement),
          tagsSchema: Type.Optional(JsonSchemaObject),
          metadataSchema: Type.Optional(JsonSchemaObject),
        },
        {
          additionalProperties: false,
          description:
            'What holds for every type that does not say otherwise. The `tagsSchema` and `metadataSchema` of a version are merged into these (RFC 7396).',
        },
      ),
    ),
    $defs: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9]*$' }), JsonSchemaObject, {
        additionalProperties: false,
        description:
          'Definitions that every schema of the catalogue can refer to. A schema is registered with those that it uses.',
      }),
    ),
  },
  { additionalProperties: false, title: 'catalogue.yaml' },
);
export type CatalogueFile = Static<typeof CatalogueFile>;

const { upcast, examples } = VersionInputSchema.properties;

const VersionEntry = Type.Object(
  {
    version: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, description: 'From 1, without gaps.' }),
    schema: JsonSchemaObject,
    tagsSchema: Type.Optional(JsonSchemaObject),
    metadataSchema: Type.Optional(JsonSchemaObject),
    upcast,
    examples: Type.Optional(
      Type.Array(examples.items, {
        ...(examples.maxItems === undefined ? {} : { maxItems: examples.maxItems }),
        description:
          'Events as they would be appended; `type` and `version` may be left out. Each has to satisfy the schemas.',
      }),
    ),
  },
  { additionalProperties: false },
);

const { tagsFromData } = TypeSettingsSchema.properties;

export const TypeFile = Type.Object(
  {
    type: Type.String({ pattern: TYPE_PATTERN, minLength: 1, maxLength: 255 }),
    description: Type.String({ minLength: 1, maxLength: 4096 }),
    compatibility: Type.Optional(Compatibility),
    enforcement: Type.Optional(Enforcement),
    tagsFromData,
    versions: Type.Array(VersionEntry, { minItems: 1 }),
  },
  { additionalProperties: false, title: 'types/<type>.yaml' },
);
export type TypeFile = Static<typeof TypeFile>;

/** The forms of a rule by their kinds: a rule that is at fault is measured by the form that it names. */
export const RULE_FORMS: Readonly<Record<RuleInput['kind'], TSchema>> = {
  requires: RequiresRule,
  lifecycle: LifecycleRule,
  unique: UniqueRule,
  compare: CompareRule,
};

/** Settings of a type with every default filled in, as the service tells them. */
export type CompleteSettings = Required<TypeSettings>;

/** A version as it is registered: schemas that stand alone, examples that are whole events. */
export type CompleteVersion = VersionInput & { readonly version: number };

/** The published JSON Schema of the three kinds of files, for editors and for checks in other languages. */
export function catalogueSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A file of a Stele catalogue',
    description: 'catalogue.yaml, a file of types/ or a file of rules/. JSON is as good as YAML.',
    oneOf: [
      { $ref: '#/$defs/catalogue' },
      { $ref: '#/$defs/type' },
      ...Object.keys(RULE_FORMS).map((kind) => ({ $ref: `#/$defs/${kind}` })),
    ],
    $defs: { catalogue: CatalogueFile, type: TypeFile, ...RULE_FORMS },
  };
}
