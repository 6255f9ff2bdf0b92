import { jsonDiff, type PatchOperation } from '../model/json-value.ts';
import type { Catalogue } from './catalogue.ts';
import type { CompleteSettings, CompleteVersion } from './catalogue-format.ts';
import type { RuleInput } from './rule.ts';

/** What a service has registered, as far as it is compared with a catalogue. */
export interface Registered {
  readonly types: ReadonlyMap<string, RegisteredType>;
  readonly rules: ReadonlyMap<string, RuleInput>;
}

export interface RegisteredType {
  readonly settings: CompleteSettings;
  readonly versions: readonly CompleteVersion[];
}

/**
 * What has to be done for a type, a version or a rule to be in the service as it is in the catalogue. Settings and rules
 * can be changed. A version cannot: where the service has another one under its number, that is a `conflict`. A version
 * that only the service has is `ahead`: somebody else registered it, out of files that are newer than these.
 */
export type Change = 'added' | 'changed' | 'same' | 'conflict' | 'ahead';

export interface TypeDifference {
  readonly type: string;
  /** The gravest of the settings and the versions. */
  readonly change: Change;
  readonly settings: Part;
  readonly versions: readonly (Part & { readonly version: number })[];
}

export interface RuleDifference extends Part {
  readonly rule: string;
}

interface Part {
  readonly change: Change;
  /** From what the service has to what the catalogue says. */
  readonly patch: readonly PatchOperation[];
}

export interface Difference {
  readonly types: readonly TypeDifference[];
  readonly rules: readonly RuleDifference[];
}

/** How a catalogue differs from what is registered. What only the service has, types and rules, is not its matter. */
export function differenceOf({ types, rules }: Catalogue, registered: Registered): Difference {
  return {
    types: [...types.values()].map(({ type, settings, versions }) =>
      typeDifference(type, { settings, versions }, registered.types.get(type)),
    ),
    rules: [...rules.values()].map(({ rule, input }) => ({
      rule,
      ...partOf(registered.rules.get(rule), input),
    })),
  };
}

const GRAVITY: readonly Change[] = ['same', 'ahead', 'changed', 'conflict'];

function typeDifference(
  type: string,
  own: RegisteredType,
  there: RegisteredType | undefined,
): TypeDifference {
  const settings = partOf(there?.settings, own.settings);
  const count = Math.max(own.versions.length, there?.versions.length ?? 0);
  const versions = Array.from({ length: count }, (_, index) => ({
    version: index + 1,
    ...versionPart(there?.versions[index], own.versions[index]),
  }));
  const changes = [settings, ...versions].map(({ change }) => (change === 'added' ? 'changed' : change));
  const gravest = GRAVITY.findLast((one) => changes.some((change) => change === one)) ?? 'same';
  return { type, change: there === undefined ? 'added' : gravest, settings, versions };
}

function partOf(there: object | undefined, own: object): Part {
  if (there === undefined) return { change: 'added', patch: [] };
  const patch = jsonDiff(there, own);
  return { change: patch.length === 0 ? 'same' : 'changed', patch };
}

/** Examples explain a version; that they were improved makes no other one of it, and they stay as they were registered. */
function versionPart(there: CompleteVersion | undefined, own: CompleteVersion | undefined): Part {
  if (own === undefined) return { change: 'ahead', patch: [] };
  if (there === undefined) return { change: 'added', patch: [] };
  const patch = jsonDiff(comparable(there), comparable(own));
  return { change: patch.length === 0 ? 'same' : 'conflict', patch };
}

function comparable({ schema, tagsSchema = true, metadataSchema = true, upcast = [] }: CompleteVersion) {
  return { schema, tagsSchema, metadataSchema, upcast };
}
