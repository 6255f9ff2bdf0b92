import { type Fault, StoreError } from '../errors.ts';
import { isSystemType } from '../model/query.ts';
import { didYouMean } from '../spelling.ts';
import type { Catalogue, CatalogueRule, CatalogueType } from './catalogue.ts';
import type { CompleteVersion } from './catalogue-format.ts';
import { type CatalogueFault, faultAt } from './catalogue-source.ts';
import type { EventType, TypeVersion } from './event-type.ts';
import { readRule } from './rule-input.ts';
import type { TypeSchemas } from './type-schemas.ts';
import { checkVersion, isSameVersion, requireSettings, violationsOf } from './version-check.ts';

/**
 * Checks catalogues as the service would if they were loaded into an empty store: schemas are compiled, examples compared
 * with them, each version with the one before; rules have to be ones that events can satisfy. It is the service's own
 * code that decides, so that what passes here passes there.
 *
 * Rules may name types of any of the catalogues. A type that none of them has was probably misspelt, and a rule about it
 * would silently never hold or always.
 */
export async function checkCatalogues(
  catalogues: readonly Catalogue[],
  { schemas }: { schemas: TypeSchemas },
): Promise<CatalogueFault[]> {
  const faults: CatalogueFault[] = [];
  const owners = new Map<string, CatalogueType | CatalogueRule>();
  for (const { types, rules } of catalogues) {
    for (const [name, one] of [...types, ...rules]) {
      const twin = owners.get(name);
      if (twin !== undefined) faults.push(faultAt(one.source, '', `is in ${twin.source.file} too`));
      owners.set(name, one);
    }
  }
  const known = catalogues.flatMap(({ types }) => [...types.keys()]);
  for (const { types, rules } of catalogues) {
    for (const type of types.values()) faults.push(...(await typeFaults(type, schemas)));
    for (const rule of rules.values()) faults.push(...ruleFaults(rule, known));
  }
  return faults;
}

async function typeFaults(type: CatalogueType, schemas: TypeSchemas): Promise<CatalogueFault[]> {
  const { settings, source } = type;
  const faults = faultsOf(() => requireSettings(settings)).map(({ pointer, detail }) =>
    faultAt(source, pointer, detail),
  );
  const before: TypeVersion[] = [];
  for (const [index, input] of type.versions.entries()) {
    const known: EventType = { ...settings, type: type.type, versions: before };
    for (const { pointer, detail } of await versionFaults(input, known, schemas)) {
      faults.push(faultAt(source, `/versions/${index}${pointer}`, detail));
    }
    before.push({
      version: input.version,
      schema: input.schema,
      tagsSchema: input.tagsSchema,
      metadataSchema: input.metadataSchema,
      upcast: input.upcast ?? [],
      examples: input.examples ?? [],
      createdAt: '',
    });
  }
  return faults;
}

/** What is wrong with the next version of a type, with pointers into the version. */
async function versionFaults(
  input: CompleteVersion,
  known: EventType,
  schemas: TypeSchemas,
): Promise<readonly Fault[]> {
  const latest = known.versions.at(-1);
  const faults: Fault[] = [];
  try {
    const validators = await schemas.compile(known.type, input);
    await checkVersion(input, { of: known, validators });
  } catch (error) {
    faults.push(...toldBy(error));
  }
  if (latest !== undefined && isSameVersion({ ...latest, examples: input.examples ?? [] }, input)) {
    faults.push({ pointer: '', detail: 'says the same as the version before' });
  }
  const broken = violationsOf(input, known).map(({ pointer, detail }) => ({
    pointer,
    detail: `is not ${known.compatibility} compatible with the version before: ${detail}`,
  }));
  return [...faults, ...broken];
}

/** The faults that a check throws; none where it does not. */
function faultsOf(check: () => void): readonly Fault[] {
  try {
    check();
    return [];
  } catch (error) {
    return toldBy(error);
  }
}

function toldBy(error: unknown): readonly Fault[] {
  if (!(error instanceof StoreError)) throw error;
  return error.faults ?? [{ pointer: '', detail: error.message }];
}

function ruleFaults({ input, source }: CatalogueRule, known: readonly string[]): CatalogueFault[] {
  const faults = faultsOf(() => readRule(input));
  if (faults.length > 0) return faults.map(({ pointer, detail }) => faultAt(source, pointer, detail));
  return namedTypes(input)
    .filter(({ type }) => type !== '' && !isSystemType(type) && !known.includes(type))
    .map(({ pointer, type }) =>
      faultAt(source, pointer, `${type} is no type of the catalogue${didYouMean(type, known)}`),
    );
}

/** Every type that a rule names, with its place. */
function namedTypes(rule: CatalogueRule['input']): { pointer: string; type: string }[] {
  if (rule.kind === 'lifecycle') {
    return Object.entries(rule.transitions).flatMap(([type, next]) => [
      { pointer: `/transitions/${type}`, type },
      ...next.map((one, index) => ({ pointer: `/transitions/${type}/${index}`, type: one })),
    ]);
  }
  const own = rule.types.map((type, index) => ({ pointer: `/types/${index}`, type }));
  if (rule.kind !== 'requires') return own;
  const asked = (rule.query.items ?? []).flatMap(({ types = [] }, item) =>
    types.map((type, index) => ({ pointer: `/query/items/${item}/types/${index}`, type })),
  );
  return [...own, ...asked];
}
