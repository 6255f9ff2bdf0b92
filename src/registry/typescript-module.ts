import { StoreError } from '../errors.ts';
import type { Catalogue, CatalogueType } from './catalogue.ts';
import type { JsonSchema } from './event-type.ts';
import { isMembers } from './schema-document.ts';
import { pascal, type TypeNames, typescriptNames } from './typescript-names.ts';
import { comment, quoted, typescriptType } from './typescript-type.ts';

const TAG_VALUE = 'string | string[]';
/** Members of metadata that the client knows; an open object that did not name them would not fit its type. */
const METADATA_MEMBERS = [
  'workflowVersion',
  'correlationId',
  'causationId',
  'actorType',
  'actorId',
  'source',
  'sourceType',
  'traceparent',
];

/**
 * The types of a catalogue as a module of TypeScript that needs nothing else: a constant for each name, types of
 * `data`, `tags` and `metadata`, and a function that makes an event as the client's `append` takes it. The same
 * catalogue always gives the same text.
 *
 * The newest version of a type has the plain names; those before it are marked, as in `InvoiceCreatedV1`. So code that
 * is made again after a new version tells its author at once what has to change.
 *
 * @throws StoreError VALIDATION_FAILED where two types would have the same names.
 */
export function typescriptModule(catalogue: Catalogue): string {
  const unionName = `${pascal(catalogue.name)}Event`;
  const types = [...catalogue.types.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  const { names, clashes } = typescriptNames(
    types.map(({ type }) => type),
    new Set(['CommonTags', 'CommonMetadata', 'Stamp', 'isOf', unionName]),
  );
  const [clash] = clashes;
  if (clash !== undefined) {
    const detail = `${clash[0]} and ${clash[1]} would have the same names in TypeScript. Name one of them otherwise.`;
    throw new StoreError('VALIDATION_FAILED', detail);
  }
  const parts = types.flatMap((type) => partsOf(type, names.get(type.type) as TypeNames));
  const common = commonTexts(parts);
  const shared = [...common].map(
    ([text, name]) => `${comment(COMMON[name])}export type ${name} = ${text};\n`,
  );
  const bodies = types.map((type) => {
    const own = parts.filter((part) => part.type === type);
    const [first] = own;
    const constant = `export const ${first?.names.constant} = ${quoted(type.type)};\n`;
    return [constant, ...own.reverse().map((part) => versionText(part, common))].join('\n');
  });
  const members = parts.map((part) => `  | ${part.event}\n`).sort();
  return [
    headerOf(catalogue),
    STAMP,
    ...shared,
    ...bodies,
    `${comment('Any event of the catalogue; `type` and `version` tell which.')}export type ${unionName} =\n${members.join('').trimEnd()};\n`,
    isOfText(unionName),
  ].join('\n');
}

const COMMON = {
  CommonTags: 'Tags of most types.',
  CommonMetadata: 'Metadata of most types.',
} as const;

const STAMP = `interface Stamp {
  /** UUID of version 7; the client makes one where it is missing. */
  readonly id?: string;
  /** When it happened, RFC 3339; where it is missing: when it is stored. */
  readonly timestamp?: string;
}
`;

function headerOf({ name, description }: Catalogue): string {
  return comment(
    `Event types of the catalogue ${name}.\n\n${description}\n\nMade by \`stele types generate\`. Do not change it by hand: change the catalogue, and make it again.`,
  );
}

function isOfText(unionName: string): string {
  return `${comment('Whether an event that was read is of a type; then its `data` is known too.')}export function isOf<T extends ${unionName}['type']>(
  type: T,
  event: { readonly type: string },
): event is Extract<${unionName}, { readonly type: T }> {
  return event.type === type;
}
`;
}

/** What is written of a version. */
interface Part {
  readonly type: CatalogueType;
  readonly version: number;
  readonly names: TypeNames;
  readonly isLatest: boolean;
  /** Name of its events: with the version, where it is not the latest. */
  readonly event: string;
  readonly data: string;
  readonly tags: string;
  readonly metadata: string;
  readonly needsTags: boolean;
  readonly needsMetadata: boolean;
}

function partsOf(type: CatalogueType, names: TypeNames): Part[] {
  const latest = type.versions.length;
  const filledIn = new Set(Object.keys(type.settings.tagsFromData));
  return type.versions.map(({ version, schema, tagsSchema = true, metadataSchema = true }) => ({
    type,
    version,
    names,
    isLatest: version === latest,
    event: version === latest ? names.event : `${names.event}V${version}`,
    data: typescriptType({ root: objectSchema(schema) }),
    tags: typescriptType({
      root: objectSchema(tagsSchema),
      tagValue: TAG_VALUE,
      filledIn,
    }),
    metadata: typescriptType({ root: withKnownMetadata(objectSchema(metadataSchema)) }),
    needsTags: requiredOf(tagsSchema).some((name) => !filledIn.has(name)),
    needsMetadata: requiredOf(metadataSchema).length > 0,
  }));
}

/** `data`, `tags` and `metadata` are objects whatever the schema says or leaves out. */
function objectSchema(schema: JsonSchema): Exclude<JsonSchema, boolean> {
  return typeof schema === 'boolean' ? { type: 'object' } : { type: 'object', ...schema };
}

function withKnownMetadata(schema: Exclude<JsonSchema, boolean>): JsonSchema {
  if (schema['additionalProperties'] === false) return schema;
  const known = Object.fromEntries(METADATA_MEMBERS.map((name) => [name, { type: 'string' }]));
  const own = isMembers(schema['properties']) ? schema['properties'] : {};
  return {
    ...schema,
    properties: { ...own, ...without(known, own), ...without({ eventSource: EVENT_SOURCE }, own) },
  };
}

const EVENT_SOURCE = { enum: ['system', 'plugin'] };

function without(members: Readonly<Record<string, unknown>>, own: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !Object.hasOwn(own, name)));
}

function requiredOf(schema: JsonSchema): readonly string[] {
  const required = typeof schema === 'boolean' ? undefined : schema['required'];
  return Array.isArray(required) ? required.map(String) : [];
}

/** Texts of tags and of metadata that most types share are written once. */
function commonTexts(parts: readonly Part[]): Map<string, keyof typeof COMMON> {
  const common = new Map<string, keyof typeof COMMON>();
  for (const [member, name] of [
    ['tags', 'CommonTags'],
    ['metadata', 'CommonMetadata'],
  ] as const) {
    const counts = new Map<string, number>();
    for (const part of parts) counts.set(part[member], (counts.get(part[member]) ?? 0) + 1);
    const [first] = [...counts].sort(([, a], [, b]) => b - a);
    if (first !== undefined && first[1] > 1) common.set(first[0], name);
  }
  return common;
}

function versionText(part: Part, common: ReadonlyMap<string, string>): string {
  const { type, version, names, isLatest, event, needsTags, needsMetadata } = part;
  const builder = isLatest ? names.builder : `${names.builder}V${version}`;
  const { description } = type.settings;
  const declare = (suffix: string, text: string) =>
    `export type ${event}${suffix} = ${common.get(text) ?? text};\n`;
  const short =
    isLatest && names.shortBuilder !== undefined
      ? `\n${comment(`Short for ${builder}.`)}export const ${names.shortBuilder} = ${builder};\n`
      : '';
  return [
    declare('Data', part.data),
    declare('Tags', part.tags),
    declare('Metadata', part.metadata),
    `${comment(isLatest ? description : `Version ${version}. ${description}`)}export interface ${event} extends Stamp {
  readonly type: typeof ${names.constant};
  readonly version: ${version};
  readonly tags${needsTags ? '' : '?'}: ${event}Tags;
  readonly metadata${needsMetadata ? '' : '?'}: ${event}Metadata;
  readonly data: ${event}Data;
}
`,
    `${comment(isLatest ? description : `Version ${version}. ${description}`)}export function ${builder}(event: Omit<${event}, 'type' | 'version'>): ${event} {
  return { ...event, type: ${names.constant}, version: ${version} };
}
${short}`,
  ].join('\n');
}
