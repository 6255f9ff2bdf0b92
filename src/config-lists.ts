import type { TObject, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { Found } from './config-sources.ts';
import {
  ENRICHMENT_STEPS,
  EnrichmentDefault,
  type EnrichmentSettings,
  type EnrichmentStep,
} from './model/enrichment-settings.ts';
import { RetentionRule } from './model/retention-rule.ts';
import { didYouMean } from './spelling.ts';

/** Settings that are lists: what is wrong with one, and those that belong together. */
interface ListOf {
  readonly element: string;
  readonly elements: string;
  readonly schema: TObject;
  readonly hint: string;
}

const LISTS: Readonly<Record<string, ListOf>> = {
  'retention.customPolicy.rules': {
    element: 'rule',
    elements: 'rules',
    schema: RetentionRule,
    hint: 'as in PUT /v1/retention',
  },
  'enrichment.defaults': {
    element: 'default',
    elements: 'defaults',
    schema: EnrichmentDefault,
    hint: 'with types, tags and metadata as in events',
  },
};

/** What is wrong with a list, in terms of the first element that is none. */
export function listProblem(key: string, value: unknown, schema: TSchema): string {
  const list = LISTS[key];
  if (list === undefined) return `has to be a list of some of ${ENRICHMENT_STEPS.join(', ')}, each once.`;
  const { element, elements } = list;
  const names = Object.keys(list.schema.properties);
  const form = names.map((name) => `${name}?`).join(', ');
  const hint = ` A ${element} is {${form}}, ${list.hint}.`;
  if (!Array.isArray(value)) return `has to be a list of ${elements}.${hint}`;
  const [error] = [...Value.Errors(schema, value)];
  if (error === undefined || error.path === '')
    return `has to be a list of 1 to ${schema['maxItems']} ${elements}.`;
  const name = error.path.split('/').at(-1) ?? '';
  if (/^\/\d+\/[^/]+$/.test(error.path) && !names.includes(name)) {
    return `${error.path} is not a member of a ${element}.${didYouMean(name, names)}${hint}`;
  }
  return `${error.path} = ${JSON.stringify(error.value)} is not valid (${error.message}).${hint}`;
}

/** What a step works with has to have the step. */
export function chooseEnrichment(get: (key: string) => Found, faults: string[]): EnrichmentSettings {
  const steps = get('enrichment.steps');
  const given = <T>(step: EnrichmentStep): T | undefined => {
    const found = get(`enrichment.${step}`);
    if (found.value !== undefined && !(steps.value as EnrichmentStep[]).includes(step)) {
      faults.push(`${found.key} (${found.source}): has no effect without ${step} in enrichment.steps.`);
    }
    return found.value as T | undefined;
  };
  const serviceVersion = given<string>('serviceVersion');
  return {
    steps: steps.value as EnrichmentStep[],
    ...(serviceVersion === undefined ? {} : { serviceVersion }),
    defaults: given<EnrichmentDefault[]>('defaults') ?? [],
  };
}
