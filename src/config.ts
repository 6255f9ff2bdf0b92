import path from 'node:path';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { ConfigError } from './config-error.ts';
import { chooseEnrichment, listProblem } from './config-lists.ts';
import { type Finding, type Found, readEnvironment, readFile, readFlags } from './config-sources.ts';
import { chooseStore, redactUrl, shown } from './config-store.ts';
import { LIMITS } from './limits.ts';
import {
  ENRICHMENT_STEPS,
  type EnrichmentDefault,
  EnrichmentDefaults,
  type EnrichmentSettings,
  type EnrichmentStep,
  EnrichmentSteps,
} from './model/enrichment-settings.ts';
import { type RetentionRule, RetentionRules } from './model/retention-rule.ts';
import { scheduleProblem } from './model/schedule.ts';
import { didYouMean } from './spelling.ts';

/**
 * The configuration: flags > environment > file > defaults. This file and `config-client.ts` alone touch the
 * environment.
 *
 * Each setting has one dotted key, from which its other names follow: `cache.ttlMs` is `--cache-ttl-ms` and
 * `STELE_CACHE_TTL_MS`. Nothing is guessed: a key that is not known, a value that is not valid and two ways of
 * saying the same thing stop the start, all of them at once, each with where it stands and what to do about it.
 */
const Port = { type: 'integer', minimum: 0, maximum: 65_535 } as const;

export const Settings = Type.Object({
  store: Type.String({
    default: 'file:./data',
    description:
      'Where the events are: `file:<folder>`, `postgres://…`, `embedded:<folder>` or `memory:` (gone at the end)',
  }),
  host: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address to listen on' }),
  port: Type.Integer({ ...Port, default: 7373, description: 'Port to listen on; 0 lets the system choose' }),
  logLevel: Type.Union(
    [
      Type.Literal('trace'),
      Type.Literal('debug'),
      Type.Literal('info'),
      Type.Literal('warn'),
      Type.Literal('error'),
      Type.Literal('fatal'),
      Type.Literal('silent'),
    ],
    { default: 'info', description: 'Least severe log line that is written' },
  ),
  access: Type.Union([Type.Literal('keys'), Type.Literal('open')], {
    description:
      '`keys`: bearer keys from `keysFile`. `open`: everybody may do everything. Default: `open` on loopback, else `keys`',
  }),
  accessForce: Type.Boolean({
    default: false,
    description: 'Allow `open` on an address that other machines can reach',
  }),
  keysFile: Type.String({ minLength: 1, description: 'File with the bearer keys and their roles' }),
  eventIds: Type.Union([Type.Literal('uuidv7'), Type.Literal('uuid')], {
    default: 'uuidv7',
    description: 'Ids that clients may send: `uuidv7` only, or any `uuid`',
  }),
  types: Type.Object({
    mode: Type.Union([Type.Literal('open'), Type.Literal('registered')], {
      default: 'open',
      description: '`registered`: only events of registered types are taken. `open`: any',
    }),
  }),
  enrichment: Type.Object({
    steps: Type.Unsafe<EnrichmentStep[]>({
      ...EnrichmentSteps,
      default: [...ENRICHMENT_STEPS],
      description: 'What is added to events, in this order; what is left out is not done',
    }),
    serviceVersion: Type.String({
      minLength: 1,
      maxLength: LIMITS.metadataValueLengthMax,
      description: 'For the step `serviceVersion`: what becomes `metadata.serviceVersion`',
    }),
    defaults: Type.Unsafe<EnrichmentDefault[]>({
      ...EnrichmentDefaults,
      description:
        'For the step `defaults`: a list of `{types?, tags?, metadata?}`; JSON outside of the file',
    }),
  }),
  cache: Type.Object({
    ttlMs: Type.Integer({
      minimum: 0,
      maximum: 3_600_000,
      default: 1000,
      description: 'How long the lists of types and tags are kept; 0 turns that off',
    }),
  }),
  retention: Type.Object({
    defaultPolicy: Type.Union(
      [Type.Literal('infinite'), Type.Literal('time'), Type.Literal('count'), Type.Literal('custom')],
      {
        default: 'infinite',
        description: 'What is kept until `PUT /v1/retention` says otherwise; `custom`: by rules',
      },
    ),
    timePolicy: Type.Object({
      retainDays: Type.Integer({ minimum: 1, maximum: 36_500, description: 'For `time`: days' }),
    }),
    countPolicy: Type.Object({
      retainEvents: Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'For `count`: the latest so many events',
      }),
    }),
    customPolicy: Type.Object({
      rules: Type.Unsafe<RetentionRule[]>({
        ...RetentionRules,
        description: 'For `custom`: `rules` as `PUT /v1/retention` takes them; JSON outside of the file',
      }),
    }),
    schedule: Type.String({
      minLength: 1,
      description: 'When the policy is applied, as in cron and in UTC, such as `0 3 * * *`',
    }),
    archive: Type.String({
      minLength: 1,
      description:
        'Where events go before they are removed: `file:<folder>`. Default: `archive` in the folder of a `file:` store',
    }),
  }),
  backups: Type.String({
    minLength: 1,
    description: 'Where `POST /v1/backups` writes to: `file:<folder>`, on another disk than the store',
  }),
  backend: Type.Union([Type.Literal('file'), Type.Literal('postgresql')], {
    description: 'With `file.*` or `postgresql.*`: another way to write `store`',
  }),
  file: Type.Object({
    dataDirectory: Type.String({ minLength: 1, description: 'Folder of the events. Default: ./data' }),
    fileRotation: Type.Object({
      maxSize: Type.Integer({
        minimum: LIMITS.segmentBytesMin,
        maximum: LIMITS.segmentBytesMax,
        description: `Bytes after which a file is sealed and another begins. Default: ${LIMITS.segmentBytesDefault}`,
      }),
      maxFiles: Type.Integer({
        minimum: LIMITS.segmentsKeptMin,
        maximum: LIMITS.segmentsKeptMax,
        description: 'Files that keep their events; older ones go to the archive. Default: all',
      }),
      compression: Type.Union([Type.Literal('gzip'), Type.Literal('none')], {
        description: 'For sealed files. Default: gzip',
      }),
    }),
    indexing: Type.Object({
      enabled: Type.Boolean({
        description: 'Whether there is an index; `false`: every read goes through the log. Default: true',
      }),
      maxMemorySize: Type.Integer({
        minimum: LIMITS.indexMemoryBytesMin,
        maximum: LIMITS.indexMemoryBytesMax,
        description: `Bytes of memory for the index and for what is read. Default: ${LIMITS.indexMemoryBytesDefault}`,
      }),
    }),
  }),
  postgresql: Type.Object({
    host: Type.String({ minLength: 1, description: 'Default: 127.0.0.1' }),
    port: Type.Integer({ ...Port, minimum: 1, description: 'Default: 5432' }),
    database: Type.String({ minLength: 1, description: 'Required with `backend`' }),
    username: Type.String({ minLength: 1, description: 'Required with `backend`' }),
    password: Type.String({ description: 'Also completes a `postgres://` URL that has none' }),
    ssl: Type.Boolean({ description: '`true`: encrypted, and the certificate is checked' }),
    poolSize: Type.Integer({ minimum: 1, maximum: 500, description: 'Connections for reads' }),
  }),
});
type Settings = Static<typeof Settings>;

/** What the service runs with: checked, complete, and independent of how it was said. */
export interface Config {
  /** URL of the store, with the password when there is one. */
  readonly store: string;
  readonly host: string;
  readonly port: number;
  readonly logLevel: Settings['logLevel'];
  readonly access: Settings['access'];
  readonly accessForce: boolean;
  /** Absolute path. Present when `access` is `keys`. */
  readonly keysFile?: string;
  readonly eventIds: Settings['eventIds'];
  readonly types: Settings['types'];
  readonly enrichment: EnrichmentSettings;
  readonly cache: Settings['cache'];
  /** What is kept while no policy was set by request, and where removed events go. */
  readonly retention: {
    readonly policy: RetentionSettings;
    readonly archive?: string;
  };
  readonly backups?: string;
}

export type RetentionSettings =
  | { readonly policy: 'infinite' }
  | { readonly policy: 'time'; readonly retainDays: number; readonly schedule?: string }
  | { readonly policy: 'count'; readonly retainEvents: number; readonly schedule?: string }
  | { readonly policy: 'rules'; readonly rules: RetentionRule[]; readonly schedule?: string };

export interface ConfigSources {
  /** Flags only, such as `['--port', '8080']`. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** One line of `stele config`. Secrets are already out of `value`. */
export interface EffectiveSetting {
  readonly key: string;
  readonly value: string | number | boolean | null;
  readonly source: string;
}

/** Every setting by its dotted key, in the order of the schema. */
export const SETTINGS: ReadonlyMap<string, TSchema> = new Map(leaves(Settings, ''));

/** Known names for what this version cannot do: they are refused with that reason, not as a slip of the pen. */
const NOT_YET = ['eventstore'];

/** @throws ConfigError with every fault there is. */
export function loadConfig(sources: ConfigSources = {}): Config {
  return resolve(sources).config;
}

/** The values that the service would run with and where each comes from. @throws ConfigError */
export function effective(sources: ConfigSources = {}): EffectiveSetting[] {
  return resolve(sources).settings;
}

function resolve(sources: ConfigSources): { config: Config; settings: EffectiveSetting[] } {
  const { argv = [], env = process.env, cwd = process.cwd() } = sources;
  const faults: string[] = [];
  const chosen = new Map<string, Found>();
  const flags = readFlags(argv, SETTINGS);
  const environment = readEnvironment(env, SETTINGS);
  const file = readFile(flags.file ?? env['STELE_CONFIG'], cwd);
  const findings: Finding[] = [...file, ...environment, ...flags.findings];
  for (const finding of findings) {
    if ('fault' in finding) {
      faults.push(finding.fault);
      continue;
    }
    const schema = SETTINGS.get(finding.key);
    const problem = schema === undefined ? unknownKey(finding.key) : valueProblem(finding, schema);
    if (problem === undefined) chosen.set(finding.key, finding);
    else
      faults.push(`${schema === undefined ? finding.key : shown(finding)} (${finding.source}): ${problem}`);
  }
  const get = (key: string): Found => {
    const given = chosen.get(key);
    return given ?? { key, value: SETTINGS.get(key)?.default, source: 'default', rank: 0 };
  };
  const store = chooseStore(chosen, get, faults);
  const access = chooseAccess(get, cwd, faults);
  const enrichment = chooseEnrichment(get, faults);
  const retention = chooseRetention(get, faults);
  if (faults.length > 0) throw new ConfigError(faults);

  const plain = ['host', 'port', 'logLevel', 'accessForce', 'eventIds', 'types.mode', 'cache.ttlMs'].map(get);
  const others = [...SETTINGS.keys()].filter((key) => /^(enrichment|retention|backups)/.test(key)).map(get);
  const all = [store, ...plain.slice(0, 3), ...access, ...plain.slice(3), ...others];
  const value = <T>(key: string): T => all.find((one) => one.key === key)?.value as T;
  const keysFile = value<string | undefined>('keysFile');
  return {
    config: {
      store: value('store'),
      host: value('host'),
      port: value('port'),
      logLevel: value('logLevel'),
      access: value('access'),
      accessForce: value('accessForce'),
      ...(keysFile === undefined ? {} : { keysFile }),
      eventIds: value('eventIds'),
      types: { mode: value('types.mode') },
      enrichment,
      cache: { ttlMs: value('cache.ttlMs') },
      retention,
      ...(get('backups').value === undefined ? {} : { backups: String(get('backups').value) }),
    },
    settings: all.map(({ key, source, value: given }) => ({
      key,
      value: key === 'store' ? redactUrl(String(given)) : plainValue(given),
      source,
    })),
  };
}

/** The policy, and the places: both have to be folders of this machine. */
function chooseRetention(get: (key: string) => Found, faults: string[]): Config['retention'] {
  for (const place of [get('retention.archive'), get('backups')]) {
    if (place.value === undefined || /^file:[^?]/.test(String(place.value))) continue;
    faults.push(`${shown(place)} (${place.source}): has to be a folder, file:<folder>.`);
  }
  const archive = get('retention.archive').value;
  const where = archive === undefined ? {} : { archive: String(archive) };
  const named = get('retention.defaultPolicy');
  const given = (key: string, policy: string) => {
    const found = get(key);
    if (found.value !== undefined && named.value !== policy) {
      faults.push(`${key} (${found.source}): has no effect without retention.defaultPolicy: ${policy}.`);
    }
    if (found.value === undefined && named.value === policy) {
      faults.push(`${key}: is missing, and retention.defaultPolicy (${named.source}) needs it.`);
    }
    return found.value;
  };
  const retainDays = Number(given('retention.timePolicy.retainDays', 'time'));
  const retainEvents = Number(given('retention.countPolicy.retainEvents', 'count'));
  const rules = (given('retention.customPolicy.rules', 'custom') ?? []) as RetentionRule[];
  const due = chooseSchedule(get('retention.schedule'), named, faults);
  switch (named.value) {
    case 'time':
      return { policy: { policy: 'time', retainDays, ...due }, ...where };
    case 'count':
      return { policy: { policy: 'count', retainEvents, ...due }, ...where };
    // The name of the setting, and that of the request.
    case 'custom':
      return { policy: { policy: 'rules', rules, ...due }, ...where };
    default:
      return { policy: { policy: 'infinite' }, ...where };
  }
}

function chooseSchedule(found: Found, named: Found, faults: string[]): { schedule?: string } {
  if (found.value === undefined) return {};
  if (named.value === 'infinite') {
    faults.push(
      `retention.schedule (${found.source}): has no effect with retention.defaultPolicy: infinite.`,
    );
  }
  const schedule = String(found.value);
  const problem = scheduleProblem(schedule, Date.now());
  if (problem !== undefined) faults.push(`${shown(found)} (${found.source}): ${problem}.`);
  return { schedule };
}

/** Keys are asked for as soon as other machines can connect. */
function chooseAccess(get: (key: string) => Found, cwd: string, faults: string[]): Found[] {
  const host = get('host');
  const loopback = isLoopback(String(host.value));
  const keysFile = get('keysFile');
  let access = get('access');
  if (access.value === undefined) {
    const open = loopback && keysFile.value === undefined;
    access = { ...access, value: open ? 'open' : 'keys' };
    if (!open && keysFile.value === undefined) {
      faults.push(
        `host = ${JSON.stringify(host.value)} (${host.source}): other machines can connect, so keys are needed. ` +
          'Name a file with keysFile, or say access: open together with accessForce: true.',
      );
    }
  } else if (access.value === 'keys' && keysFile.value === undefined) {
    faults.push(`access = "keys" (${access.source}): needs keysFile. Name the file with the keys.`);
  } else if (access.value === 'open' && !loopback && get('accessForce').value !== true) {
    faults.push(
      `access = "open" (${access.source}): everybody who reaches ${host.value} could read and append. ` +
        'Use keys, or confirm it with accessForce: true.',
    );
  }
  if (keysFile.value === undefined) return [access, keysFile];
  return [access, { ...keysFile, value: path.resolve(cwd, String(keysFile.value)) }];
}

/** True for addresses that only the machine itself can connect to. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function unknownKey(key: string): string {
  const top = key.split('.')[0] ?? key;
  if (NOT_YET.includes(top)) return 'is not available in this version. Remove it.';
  return `is not a setting.${didYouMean(key, [...SETTINGS.keys()])}`;
}

function valueProblem({ key, value }: Found, schema: TSchema): string | undefined {
  if (Value.Check(schema, value)) return undefined;
  if (key === 'backend') {
    if (value === 'eventstore') return 'is not available in this version. Use file or postgresql.';
  }
  if (schema['type'] === 'integer')
    return `has to be a whole number from ${schema['minimum']} to ${schema['maximum']}.`;
  if (schema['type'] === 'boolean') return 'has to be true or false.';
  if (schema['type'] === 'array') return listProblem(key, value, schema);
  const choices: string[] = (schema['anyOf'] ?? []).map((choice: { const: string }) => choice.const);
  if (choices.length === 0) return 'has to be text, and not empty.';
  return `has to be one of ${choices.join(', ')}.${didYouMean(String(value), choices)}`;
}

/** As one line of `stele config` shows it. */
function plainValue(value: unknown): EffectiveSetting['value'] {
  if (Array.isArray(value)) {
    return value.every((one) => typeof one === 'string') ? value.join(',') : JSON.stringify(value);
  }
  return (value ?? null) as EffectiveSetting['value'];
}

function leaves(schema: TSchema, prefix: string): [string, TSchema][] {
  const properties: Record<string, TSchema> = schema['properties'] ?? {};
  return Object.entries(properties).flatMap(([name, one]): [string, TSchema][] =>
    one['type'] === 'object' ? leaves(one, `${prefix}${name}.`) : [[prefix + name, one]],
  );
}
