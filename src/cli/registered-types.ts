import type { Client } from '../client/index.ts';
import type { Catalogue } from '../registry/catalogue.ts';
import type { Registered, RegisteredType } from '../registry/catalogue-difference.ts';

/**
 * What a service has registered under the names of a catalogue. Types are asked for one by one: the list of all of them
 * may be some moments old, and what was loaded just now would look as if it were missing.
 */
export async function registeredOf(client: Client, catalogue: Catalogue): Promise<Registered> {
  const types = new Map<string, RegisteredType>();
  for (const name of catalogue.types.keys()) {
    const type = await registeredType(client, name);
    if (type !== undefined) types.set(name, type);
  }
  const known = (await client.rules.list()).filter(({ rule }) => catalogue.rules.has(rule));
  return { types, rules: new Map(known.map(({ rule, ...input }) => [rule, input])) };
}

export async function registeredType(client: Client, type: string): Promise<RegisteredType | undefined> {
  const settings = await client.eventTypes.get(type);
  if (settings === null) return undefined;
  const { description, compatibility, enforcement, tagsFromData } = settings;
  const versions = await client.eventTypes.versions(type);
  return { settings: { description, compatibility, enforcement, tagsFromData }, versions };
}
