import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { EnrichmentDefault, EnrichmentSettings } from '../model/enrichment-settings.ts';
import { compileFilter, matchesType } from '../model/filter.ts';
import { pointerPath, valueAt } from '../model/json-pointer.ts';
import { TagValue } from '../model/tags.ts';
import type { EventDraft } from './event-draft.ts';
import type { EventType } from './event-type.ts';

/**
 * What the service adds to events on their way in, step by step in the order of the settings. A step only adds: what the
 * client sent stays, and so does what an earlier step has added. What was added is noted with the event, so that a
 * repetition is compared by what the client says, and told in the answer.
 *
 * - `trace`: the trace context of the request. It is done where the header is, in the route.
 * - `serviceVersion`: `metadata.serviceVersion`, where it is configured.
 * - `defaults`: tags and metadata, for all events or for some types.
 * - `tagsFromData`: the tags of the type, out of `data`.
 */
export class Enrichment {
  /** Whether every event has to be looked at; if not, only those of types with tags from data. */
  readonly isForAll: boolean;
  readonly #steps: readonly Step[];

  constructor({ steps, serviceVersion, defaults }: EnrichmentSettings) {
    const made: Step[] = [];
    let isForAll = false;
    for (const step of steps) {
      if (step === 'serviceVersion' && serviceVersion !== undefined) {
        made.push((draft) => draft.addMetadata('serviceVersion', serviceVersion));
        isForAll = true;
      } else if (step === 'defaults' && defaults.length > 0) {
        made.push(...defaults.map(defaultStep));
        isForAll = true;
      } else if (step === 'tagsFromData') {
        made.push(addTagsFromData);
      }
    }
    this.#steps = made;
    this.isForAll = isForAll;
  }

  /** Whether there may be something to add to an event of a type. */
  concerns(type: EventType | undefined): boolean {
    return this.isForAll || (type !== undefined && tagPathsOf(type).length > 0);
  }

  enrich(draft: EventDraft, type: EventType | undefined): void {
    for (const step of this.#steps) step(draft, type);
  }
}

type Step = (draft: EventDraft, type: EventType | undefined) => void;

function defaultStep({ types, tags = {}, metadata = {} }: EnrichmentDefault): Step {
  const patterns = types === undefined ? undefined : compileFilter({ eventTypes: types }).types;
  const tagEntries = Object.entries(tags);
  const metadataEntries = Object.entries(metadata);
  return (draft) => {
    if (patterns !== undefined && !patterns.some((pattern) => matchesType(pattern, draft.type))) return;
    for (const [key, value] of tagEntries) draft.addTag(key, value);
    for (const [name, value] of metadataEntries) draft.addMetadata(name, value);
  };
}

interface TagPath {
  readonly key: string;
  readonly path: readonly string[];
}

/** The pointers of a type, taken apart once for each state of the registry. */
const tagPaths = new WeakMap<EventType, readonly TagPath[]>();

function tagPathsOf(type: EventType): readonly TagPath[] {
  let known = tagPaths.get(type);
  if (known === undefined) {
    known = Object.entries(type.tagsFromData).map(([key, pointer]) => ({
      key,
      path: pointerPath(pointer) ?? [],
    }));
    tagPaths.set(type, known);
  }
  return known;
}

/** The tags of a type, out of the data of an event. */
export function addTagsFromData(draft: EventDraft, type: EventType | undefined): void {
  if (type === undefined) return;
  for (const { key, path } of tagPathsOf(type)) {
    const value = tagValueOf(valueAt(draft.content.data, path));
    if (value !== undefined) draft.addTag(key, value);
  }
}

const valueCheck = TypeCompiler.Compile(TagValue);

/**
 * A value of `data` as that of a tag: texts as they are, numbers and booleans as JSON writes them, and of a list each of
 * those, once.
 *
 * What cannot be one (an object, null, an empty text, one of more than 256 characters) is passed over. To refuse the event
 * would be the task of a schema, and a schema can: it sees the tags that were added, so that `tagsSchema` may require them.
 */
function tagValueOf(value: unknown): string | readonly string[] | undefined {
  if (!Array.isArray(value)) return tagTextOf(value);
  const texts = value.map(tagTextOf).filter((text) => text !== undefined);
  return texts.length === 0 ? undefined : [...new Set(texts)];
}

function tagTextOf(value: unknown): string | undefined {
  const text = typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : value;
  return valueCheck.Check(text) ? text : undefined;
}
