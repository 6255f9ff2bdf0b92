import type { EventType, TypeVersion } from '../../src/registry/event-type.ts';
import type { RegistryState } from '../../src/registry/registry-state.ts';
import type { Rule } from '../../src/registry/rule.ts';

/** States of a registry, written by hand: what stands behind pages and documents. */
export function version(number: number, members: Partial<TypeVersion> = {}): TypeVersion {
  return {
    version: number,
    schema: { type: 'object' },
    tagsSchema: undefined,
    metadataSchema: undefined,
    upcast: [],
    examples: [],
    createdAt: '2026-11-21T09:30:00.000Z',
    ...members,
  };
}

export function type(name: string, members: Partial<EventType> = {}): EventType {
  return {
    type: name,
    description: '',
    compatibility: 'backward',
    enforcement: 'enforce',
    tagsFromData: {},
    versions: [version(1)],
    ...members,
  };
}

export function registered(types: readonly EventType[], rules: readonly Rule[] = []): RegistryState {
  return {
    revision: types.length + rules.length,
    types: new Map(types.map((one) => [one.type, one])),
    rules: new Map(rules.map((one) => [one.rule, one])),
  };
}
