import type { EventParts } from '../model/envelopes/parts.ts';
import type { Upcaster } from '../model/view.ts';
import type { EventType } from './event-type.ts';
import type { RegistryState } from './registry-state.ts';
import { UpcastError, upcast } from './upcast.ts';

/**
 * Events in another version of their type than the one they are stored in, by the operations that each version was
 * registered with. The stored event never changes.
 *
 * A type has its own versions, and a read may hold events of many: so the version that is asked for is an upper bound. An
 * event goes up to it, or to the latest of its type where that is less. It never goes down, and one whose type is not
 * registered stays as it is.
 */
export type WantedVersion = number | 'latest';

/** @param state is asked for each event: what is registered while a stream runs counts from then on. */
export function upcasterTo(wanted: WantedVersion, state: () => RegistryState): Upcaster {
  return {
    key: `version ${wanted}`,
    upcast: (parts) => inVersion(parts, wanted, state().types.get(parts.type)),
  };
}

function inVersion(parts: EventParts, wanted: WantedVersion, type: EventType | undefined): EventParts {
  const latest = type?.versions.at(-1)?.version ?? 0;
  const version = wanted === 'latest' ? latest : Math.min(wanted, latest);
  if (type === undefined || version <= parts.version) return parts;
  const steps = type.versions
    .filter((one) => one.version > parts.version && one.version <= version)
    .map((one) => one.upcast);
  try {
    return { ...parts, version, data: JSON.stringify(upcast(JSON.parse(parts.data), steps)) };
  } catch (error) {
    if (!(error instanceof UpcastError)) throw error;
    const title = `The event cannot be shown in version ${version}`;
    return { ...parts, problem: { title, detail: error.message } };
  }
}
