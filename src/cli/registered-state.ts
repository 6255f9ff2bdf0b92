import { createTransport } from '../client/transport.ts';
import type { Catalogue } from '../registry/catalogue.ts';
import type { CompleteVersion } from '../registry/catalogue-format.ts';
import type { EventType, TypeVersion } from '../registry/event-type.ts';
import { NOTHING_REGISTERED, type RegistryState } from '../registry/registry-state.ts';
import type { Rule } from '../registry/rule.ts';
import type { Arguments } from './command.ts';
import { connectionOptions } from './connection.ts';

/** All that a running service has registered. What is registered while it is read may be missing. */
export async function readRegistered(args: Arguments): Promise<RegistryState> {
  const transport = createTransport(connectionOptions(args));
  const get = async <T>(path: string) => (await transport.json<T>({ method: 'GET', path })).body;
  const { types: listed } = await get<{ types: { type: string; registered?: boolean }[] }>('/v1/types');
  const types = new Map<string, EventType>();
  for (const { type, registered = false } of listed) {
    if (!registered) continue;
    const path = `/v1/types/${encodeURIComponent(type)}`;
    const { description, compatibility, enforcement, tagsFromData } = await get<EventType>(path);
    const { versions } = await get<{ versions: TypeVersion[] }>(`${path}/versions`);
    types.set(type, { type, description, compatibility, enforcement, tagsFromData, versions });
  }
  const { rules } = await get<{ rules: Rule[] }>('/v1/rules');
  return { ...NOTHING_REGISTERED, types, rules: new Map(rules.map((rule) => [rule.rule, rule])) };
}

/** What would be registered if the catalogue were loaded into a service that has nothing. */
export function stateOf({ types, rules }: Catalogue): RegistryState {
  const registered = [...types.values()].map(({ type, settings, versions }): [string, EventType] => [
    type,
    { type, ...settings, versions: versions.map(asRegistered) },
  ]);
  return {
    ...NOTHING_REGISTERED,
    types: new Map(registered),
    rules: new Map([...rules.values()].map(({ rule, input }) => [rule, { rule, ...input }])),
  };
}

function asRegistered(input: CompleteVersion): TypeVersion {
  const { version, schema, tagsSchema, metadataSchema, upcast = [], examples = [] } = input;
  return { version, schema, tagsSchema, metadataSchema, upcast, examples, createdAt: '' };
}
