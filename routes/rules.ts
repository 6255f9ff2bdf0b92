import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../src/errors.ts';
import { LIMITS } from '../src/limits.ts';
import { inspectJson } from '../src/model/json-text.ts';
import { RULE_NAME_PATTERN, type Rule, RuleInput, RuleName, RuleOfName } from '../src/registry/rule.ts';
import { readRule } from '../src/registry/rule-input.ts';
import { sendEmpty, sendJson } from './answer.ts';
import { bodyText } from './body.ts';
import type { Service } from './context.ts';
import { parseQuery, rawQuery } from './query-string.ts';
import { expectLog, ReadParameters } from './read.ts';

/**
 * Rules: what must hold for events to be appended. A rule is in force for every event that is stored after the change,
 * whichever process takes it; what is stored already is not looked at.
 */
const Options = Type.Object({ log: ReadParameters.log }, { additionalProperties: false });
const RuleParams = Type.Object({ rule: RuleName });
const RulesAnswer = Type.Object(
  { rules: Type.Array(RuleOfName) },
  { description: 'All rules, in the order of their names.' },
);

interface RulePath {
  readonly Params: { readonly rule: string };
}

export function ruleRoutes(app: FastifyInstance, service: Service): void {
  const { registry } = service;
  const tags = ['Rules'];
  const reading = { action: 'read' } as const;
  const changing = { action: 'register', errors: ['OVERLOADED', 'READ_ONLY', 'OUTCOME_UNKNOWN'] } as const;

  app.get(
    '/v1/rules',
    {
      config: reading,
      schema: {
        operationId: 'listRules',
        summary: 'List the rules',
        description: 'With all that they say.',
        tags,
        querystring: Options,
        response: { 200: RulesAnswer },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      const { rules } = await registry.fresh();
      const sorted = [...rules.values()].sort((a, b) => (a.rule < b.rule ? -1 : 1));
      sendJson(reply, 200, `{"rules":[${sorted.map(renderRule).join(',')}]}`);
    },
  );

  app.get<RulePath>(
    '/v1/rules/:rule',
    {
      config: reading,
      schema: {
        operationId: 'readRule',
        summary: 'Read a rule',
        description: 'As it was put.',
        tags,
        params: RuleParams,
        querystring: Options,
        response: { 200: RuleOfName },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      const name = ruleNameOf(request.params.rule);
      const rule = (await registry.fresh()).rules.get(name);
      if (rule === undefined) throw noRule();
      sendJson(reply, 200, renderRule(rule));
    },
  );

  app.put<RulePath>(
    '/v1/rules/:rule',
    {
      config: changing,
      bodyLimit: LIMITS.registrationBytesMax,
      schema: {
        operationId: 'putRule',
        summary: 'Make or change a rule',
        description:
          'In force for every event that is stored after the answer, and for those that are on their way. Events that are stored already are not looked at. A rule that no event could satisfy is refused.',
        tags,
        params: RuleParams,
        querystring: Options,
        body: RuleInput,
        response: { 200: RuleOfName, 201: RuleOfName },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      const name = ruleNameOf(request.params.rule);
      const { value } = inspectJson(bodyText(request), 0);
      const { rule, isNew } = await registry.putRule(name, readRule(value));
      sendJson(reply, isNew ? 201 : 200, renderRule(rule), ['Location', `/v1/rules/${name}`]);
    },
  );

  app.delete<RulePath>(
    '/v1/rules/:rule',
    {
      config: changing,
      schema: {
        operationId: 'removeRule',
        summary: 'Remove a rule',
        description: 'Events that are stored after the answer need not satisfy it any more.',
        tags,
        params: RuleParams,
        querystring: Options,
        response: { 204: Type.Null({ description: 'The rule is gone.' }) },
      },
    },
    async (request, reply) => {
      expectLog(service, parseQuery(Options, rawQuery(request.raw.url)).log);
      if (!(await registry.removeRule(ruleNameOf(request.params.rule)))) throw noRule();
      sendEmpty(reply, 204);
    },
  );
}

const NAME = new RegExp(RULE_NAME_PATTERN);

function ruleNameOf(name: string): string {
  if (NAME.test(name)) return name;
  const detail = 'is not 1 to 64 characters of a-z, 0-9 and -';
  throw new StoreError('VALIDATION_FAILED', `The path is not valid: {rule} ${detail}.`, {
    faults: [{ pointer: '{rule}', detail }],
  });
}

function noRule(): StoreError {
  return new StoreError('NOT_FOUND', 'There is no such rule.');
}

/** The name first, as everything with a name is told. */
function renderRule({ rule, ...input }: Rule): string {
  return JSON.stringify({ rule, ...input });
}
