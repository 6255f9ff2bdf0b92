import { orNull } from '../client/snapshots.ts';
import { createTransport, type Transport } from '../client/transport.ts';
import type { Registered, RegisteredType } from '../registry/catalogue-difference.ts';
import type { CompleteSettings, CompleteVersion } from '../registry/catalogue-format.ts';
import type { RuleInput } from '../registry/rule.ts';
import type { Arguments } from './command.ts';
import { connectionOptions } from './connection.ts';

/** The registry of a running service, as the verbs about types see it. */
export interface RegistryClient {
  /** What is registered under these names, as far as anything is. */
  registered(names: { types: Iterable<string>; rules: Iterable<string> }): Promise<Registered>;
  type(type: string): Promise<RegisteredType | undefined>;
  /** Every type with its figures, whether registered or only in the log. */
  list(): Promise<readonly ListedType[]>;
  putType(type: string, settings: CompleteSettings): Promise<void>;
  /** Gives the number that the version got. */
  addVersion(type: string, version: CompleteVersion): Promise<number>;
  putRule(rule: string, input: RuleInput): Promise<void>;
}

export interface ListedType {
  readonly type: string;
  /** Absent where the types come from files. */
  readonly count?: number;
  readonly registered?: boolean;
  readonly description?: string;
  readonly latestVersion?: number;
  readonly enforcement?: string;
}

export function connectRegistry(args: Arguments): RegistryClient {
  const transport = createTransport(connectionOptions(args));
  const pathOf = (type: string) => `/v1/types/${encodeURIComponent(type)}`;
  const get = async <T>(path: string) => (await transport.json<T>({ method: 'GET', path })).body;
  const list = async () => (await get<{ types: ListedType[] }>('/v1/types')).types;
  const client: RegistryClient = {
    list,
    async registered(names) {
      const there = new Set((await list()).filter(({ registered }) => registered).map(({ type }) => type));
      const types = new Map<string, RegisteredType>();
      for (const name of names.types) {
        const type = there.has(name) ? await client.type(name) : undefined;
        if (type !== undefined) types.set(name, type);
      }
      const { rules } = await get<{ rules: (RuleInput & { rule: string })[] }>('/v1/rules');
      const wanted = new Set(names.rules);
      const known = rules.filter(({ rule }) => wanted.has(rule));
      return { types, rules: new Map(known.map(({ rule, ...input }) => [rule, input as RuleInput])) };
    },
    type: (type) => readType(transport, pathOf(type)),
    async putType(type, settings) {
      await transport.json({ method: 'PUT', path: pathOf(type), body: settings });
    },
    async addVersion(type, { version: _, ...input }) {
      const call = { method: 'POST', path: `${pathOf(type)}/versions`, body: input } as const;
      return (await transport.json<{ version: number }>(call)).body.version;
    },
    async putRule(rule, input) {
      await transport.json({ method: 'PUT', path: `/v1/rules/${encodeURIComponent(rule)}`, body: input });
    },
  };
  return client;
}

async function readType(transport: Transport, path: string): Promise<RegisteredType | undefined> {
  const settings = await orNull(transport.json<CompleteSettings>({ method: 'GET', path }));
  if (settings === null) return undefined;
  const call = { method: 'GET', path: `${path}/versions` } as const;
  const { versions } = (await transport.json<{ versions: CompleteVersion[] }>(call)).body;
  const { description, compatibility, enforcement, tagsFromData } = settings;
  return { settings: { description, compatibility, enforcement, tagsFromData }, versions };
}
