import type { TypeVersion as KnownVersion } from '../client/event-types.ts';
import type { Catalogue } from '../registry/catalogue.ts';
import type { CompleteVersion } from '../registry/catalogue-format.ts';
import type { EventType, TypeVersion } from '../registry/event-type.ts';
import { NOTHING_REGISTERED, type RegistryState } from '../registry/registry-state.ts';
import type { Rule } from '../registry/rule.ts';
import type { UpcastOperation } from '../registry/upcast-operation.ts';
import type { Arguments } from './command.ts';
import { connect } from './connection.ts';

/** All that a running service has registered. What is registered while it is read may be missing. */
export async function readRegistered(args: Arguments): Promise<RegistryState> {
  const client = connect(args);
  const types = new Map<string, EventType>();
  for (const { type, registered } of await client.types()) {
    const settings = registered === true ? await client.eventTypes.get(type) : null;
    if (settings === null) continue;
    const { description, compatibility, enforcement, tagsFromData } = settings;
    const versions = (await client.eventTypes.versions(type)).map(asRegistered);
    types.set(type, { type, description, compatibility, enforcement, tagsFromData, versions });
  }
  const rules = (await client.rules.list()) as readonly Rule[];
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

function asRegistered(input: CompleteVersion | KnownVersion): TypeVersion {
  const { version, schema, tagsSchema, metadataSchema, upcast = [], examples = [] } = input;
  const createdAt = 'createdAt' in input ? input.createdAt : '';
  return {
    version,
    schema,
    tagsSchema,
    metadataSchema,
    upcast: [...upcast] as UpcastOperation[],
    examples: examples as TypeVersion['examples'],
    createdAt,
  };
}
