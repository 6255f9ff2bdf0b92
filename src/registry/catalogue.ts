import { Value } from '@sinclair/typebox/value';
import { faultsOf } from '../model/faults.ts';
import { mergePatch } from '../model/json-value.ts';
import { didYouMean } from '../spelling.ts';
import {
  CatalogueFile,
  type CompleteSettings,
  type CompleteVersion,
  RULE_FORMS,
  TypeFile,
} from './catalogue-format.ts';
import { type CatalogueFault, faultAt, readSources, type SourceFile, stemOf } from './catalogue-source.ts';
import type { JsonSchema } from './event-type.ts';
import { RULE_NAME_PATTERN, type RuleInput } from './rule.ts';
import { leadsSomewhere, withDefinitions } from './schema-parts.ts';

/** A catalogue as its files say it, ready to be registered. */
export interface Catalogue {
  readonly name: string;
  readonly description: string;
  readonly types: ReadonlyMap<string, CatalogueType>;
  readonly rules: ReadonlyMap<string, CatalogueRule>;
}

export interface CatalogueType {
  readonly type: string;
  readonly settings: CompleteSettings;
  /** Ascending from 1 without gaps. */
  readonly versions: readonly CompleteVersion[];
  readonly source: SourceFile;
}

export interface CatalogueRule {
  readonly rule: string;
  readonly input: RuleInput;
  readonly source: SourceFile;
}

/** Several catalogues as one that has all of their types and rules. */
export function mergeCatalogues(catalogues: readonly Catalogue[]): Catalogue {
  return {
    name: catalogues.map(({ name }) => name).join('-'),
    description: catalogues.map(({ description }) => description).join('\n\n'),
    types: new Map(catalogues.flatMap(({ types }) => [...types])),
    rules: new Map(catalogues.flatMap(({ rules }) => [...rules])),
  };
}

const HEAD_PLACE = /^catalogue\.(?:ya?ml|json)$/;
const RULE_NAME = new RegExp(RULE_NAME_PATTERN);

/**
 * Reads the files of a catalogue and checks what can be seen without compiling a schema: the format, the names, that
 * versions follow each other, that tags are taken from members that exist. What is at fault is left out of the
 * catalogue, so that everything else can still be looked at.
 */
export async function readCatalogue(
  folder: string,
): Promise<{ catalogue: Catalogue; faults: readonly CatalogueFault[] }> {
  const { sources, faults } = await readSources(folder);
  const [head, ...others] = sources.filter(({ place }) => HEAD_PLACE.test(place));
  for (const other of others) faults.push(faultAt(other, '', `stands beside ${head?.place}: keep one`));
  if (head === undefined && faults.length === 0) {
    faults.push({ file: folder, line: undefined, pointer: '', detail: 'holds no catalogue.yaml' });
  }
  const file = head === undefined ? undefined : readHead(head, faults);
  const types = new Map<string, CatalogueType>();
  const rules = new Map<string, CatalogueRule>();
  for (const source of sources.filter(({ place }) => !HEAD_PLACE.test(place))) {
    if (source.place.startsWith('types/')) {
      const type = file === undefined ? undefined : readType(source, file, faults);
      const twin = type === undefined ? undefined : types.get(type.type);
      if (twin !== undefined) faults.push(faultAt(source, '/type', `is that of ${twin.source.place} too`));
      else if (type !== undefined) types.set(type.type, type);
    } else if (/^rules\/[^/]+$/.test(source.place)) {
      const rule = readRule(source, faults);
      if (rule !== undefined) rules.set(rule.rule, rule);
    } else {
      faults.push(faultAt(source, '', 'belongs into types/ or directly into rules/'));
    }
  }
  const { name = '', description = '' } = file ?? {};
  return { catalogue: { name, description, types, rules }, faults };
}

function readHead(source: SourceFile, faults: CatalogueFault[]): CatalogueFile | undefined {
  const file = checked(source, CatalogueFile, faults);
  if (file?.naming === undefined) return file;
  try {
    wholeName(file.naming);
    return file;
  } catch (error) {
    faults.push(faultAt(source, '/naming', `is no regular expression: ${(error as Error).message}`));
    return undefined;
  }
}

function wholeName(naming: string): RegExp {
  return new RegExp(`^(?:${naming})$`, 'u');
}

function readType(
  source: SourceFile,
  head: CatalogueFile,
  faults: CatalogueFault[],
): CatalogueType | undefined {
  const file = checked(source, TypeFile, faults);
  if (file === undefined) return undefined;
  const found: CatalogueFault[] = [];
  const add = (pointer: string, detail: string) => found.push(faultAt(source, pointer, detail));
  if (head.naming !== undefined && !wholeName(head.naming).test(file.type)) {
    add('/type', `is not named as the catalogue wants it: ${head.naming}`);
  }
  // Of all that a name of a type may hold, only the colon cannot stand in the name of a file everywhere.
  if (stemOf(source.place) !== encodeURIComponent(file.type)) {
    add('/type', `is not what the file is named after: ${encodeURIComponent(file.type)}.yaml`);
  }
  for (const [index, { version, upcast }] of file.versions.entries()) {
    const place = `/versions/${index}`;
    if (version !== index + 1) add(`${place}/version`, `has to be ${index + 1}: versions count from 1`);
    if (index === 0 && upcast !== undefined && upcast.length > 0) {
      add(`${place}/upcast`, 'has no version before it to start from');
    }
  }
  const versions = file.versions.map((entry) => completeVersion(file.type, entry, head));
  const latest = versions.at(-1)?.schema ?? true;
  for (const [tag, pointer] of Object.entries(file.tagsFromData ?? {})) {
    if (!leadsSomewhere(latest, pointer)) {
      add(`/tagsFromData/${tag}`, `${pointer} is no member of data in the latest version`);
    }
  }
  faults.push(...found);
  if (found.length > 0) return undefined;
  const { compatibility = 'backward', enforcement = 'enforce' } = { ...head.defaults, ...file };
  const { type, description, tagsFromData = {} } = file;
  return { type, settings: { description, compatibility, enforcement, tagsFromData }, versions, source };
}

/** A version with what the catalogue says for all of them. */
function completeVersion(
  type: string,
  entry: TypeFile['versions'][number],
  { defaults = {}, $defs = {} }: CatalogueFile,
): CompleteVersion {
  const { version, upcast, examples } = entry;
  const tagsSchema = merged(defaults.tagsSchema, entry.tagsSchema);
  const metadataSchema = merged(defaults.metadataSchema, entry.metadataSchema);
  return {
    version,
    schema: withDefinitions(entry.schema, $defs),
    ...(tagsSchema === undefined ? {} : { tagsSchema: withDefinitions(tagsSchema, $defs) }),
    ...(metadataSchema === undefined ? {} : { metadataSchema: withDefinitions(metadataSchema, $defs) }),
    ...(upcast === undefined ? {} : { upcast }),
    ...(examples === undefined
      ? {}
      : { examples: examples.map((example) => ({ type, version, ...example })) }),
  };
}

function merged(base: JsonSchema | undefined, own: JsonSchema | undefined): JsonSchema | undefined {
  if (base === undefined || own === undefined || typeof own === 'boolean') return own ?? base;
  return mergePatch(structuredClone(base), own) as JsonSchema;
}

function readRule(source: SourceFile, faults: CatalogueFault[]): CatalogueRule | undefined {
  const rule = stemOf(source.place);
  const { kind } = Object(source.value) as { kind?: unknown };
  const kinds = Object.keys(RULE_FORMS);
  const form = kinds.find((name) => name === kind) as RuleInput['kind'] | undefined;
  if (!RULE_NAME.test(rule)) {
    faults.push(faultAt(source, '', `gives the rule its name, which has to match ${RULE_NAME_PATTERN}`));
  } else if (form === undefined) {
    faults.push(faultAt(source, '/kind', `has to be one of ${kinds.join(', ')}`));
  } else {
    const input = checked(source, RULE_FORMS[form], faults) as RuleInput | undefined;
    return input === undefined ? undefined : { rule, input, source };
  }
  return undefined;
}

/** The value of a file as what it has to be; undefined, with faults, where it is not. */
function checked<T extends Parameters<typeof Value.Errors>[0]>(
  source: SourceFile,
  form: T,
  faults: CatalogueFault[],
) {
  if (Value.Check(form, source.value)) return source.value;
  const seen = new Set<string>();
  for (const error of Value.Errors(form, source.value)) {
    for (const { pointer, detail } of faultsOf(error)) {
      if (seen.has(pointer)) continue;
      seen.add(pointer);
      const known = Object.keys((form['properties'] as object | undefined) ?? {});
      const isMember = /^\/[^/]*$/.test(pointer) && detail === 'unexpected property';
      faults.push(
        faultAt(source, pointer, isMember ? `is not a member${didYouMean(pointer.slice(1), known)}` : detail),
      );
    }
  }
  return undefined;
}
