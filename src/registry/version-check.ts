import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Fault, StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { EventInput, type NewEvent } from '../model/event.ts';
import { Faults, faultsOf } from '../model/faults.ts';
import { pointerPath } from '../model/json-pointer.ts';
import { isSameJson } from '../model/json-value.ts';
import { incompatibilities } from './compatibility.ts';
import { addTagsFromData } from './enrichment.ts';
import { EventDraft } from './event-draft.ts';
import type { EventType, JsonSchema, TypeSettings, TypeVersion, VersionInput } from './event-type.ts';
import { type EventValidators, faultsOfEvent } from './sample.ts';
import { UpcastError, upcast } from './upcast.ts';

/** Whether a version is what somebody wants to register. */
export function isSameVersion(known: TypeVersion, input: VersionInput): boolean {
  return isSameJson(comparable(known), comparable(input));
}

function comparable({
  schema,
  tagsSchema,
  metadataSchema,
  upcast = [],
  examples = [],
}: VersionInput | TypeVersion): unknown {
  return { schema, tagsSchema: tagsSchema ?? true, metadataSchema: metadataSchema ?? true, upcast, examples };
}

type Schemas = Pick<VersionInput, 'schema' | 'tagsSchema' | 'metadataSchema'>;

/**
 * Where schemas break what the type promises of its next version. What has no schema takes everything. Pointers lead into
 * the request.
 */
export function violationsOf(
  { schema, tagsSchema = true, metadataSchema = true }: Schemas,
  { compatibility, versions }: Pick<EventType, 'compatibility' | 'versions'>,
): readonly Fault[] {
  const before = versions.at(-1);
  if (before === undefined) return [];
  const pairs: readonly (readonly [name: string, before: JsonSchema, next: JsonSchema])[] = [
    ['/schema', before.schema, schema],
    ['/tagsSchema', before.tagsSchema ?? true, tagsSchema],
    ['/metadataSchema', before.metadataSchema ?? true, metadataSchema],
  ];
  return pairs.flatMap(([name, earlier, next]) =>
    incompatibilities(earlier, next, compatibility).map((fault) => ({
      ...fault,
      pointer: name + fault.pointer,
    })),
  );
}

const exampleCheck = TypeCompiler.Compile(EventInput);

/**
 * Checks what comes with the schemas of a version: its examples, which are events as they would be appended and have to
 * satisfy them, and its upcast, for which there has to be a version before. The upcast is tried on the examples of that
 * version: one that fails would be told by every read of such events, for ever, as what is registered does not change.
 *
 * @throws StoreError INVALID_SCHEMA with pointers into the request.
 */
export async function checkVersion(
  { upcast: operations = [], examples = [] }: VersionInput,
  { of, validators }: { of: EventType; validators: EventValidators },
): Promise<void> {
  const faults: Fault[] = [];
  const before = of.versions.at(-1);
  if (operations.length > 0) {
    if (before === undefined) {
      faults.push({ pointer: '/upcast', detail: 'starts from the version before, and this is the first' });
    } else {
      faults.push(...(await upcastFaults(operations, before, validators)));
    }
  }
  for (const [index, example] of examples.entries()) {
    for (const fault of await exampleFaults(example, of, validators)) {
      faults.push({ ...fault, pointer: `/examples/${index}${fault.pointer}` });
    }
  }
  const [first] = faults;
  if (first === undefined) return;
  throw new StoreError(
    'INVALID_SCHEMA',
    `The version cannot be registered: ${first.pointer} ${first.detail}.`,
    {
      faults: faults.slice(0, LIMITS.faultsMax),
    },
  );
}

/** An upcast has to make of the examples of the version before what the schema of data takes. */
async function upcastFaults(
  operations: NonNullable<VersionInput['upcast']>,
  { examples }: TypeVersion,
  { data: validate }: EventValidators,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const [index, { data }] of examples.entries()) {
    const what = `of example ${index} of the version before`;
    try {
      const [fault] = (await validate?.(upcast(data, [operations]))) ?? [];
      if (fault === undefined) continue;
      const detail = `makes ${what} what the schema refuses: ${`${fault.pointer} ${fault.detail}`.trim()}`;
      faults.push({ pointer: '/upcast', detail });
    } catch (error) {
      if (!(error instanceof UpcastError)) throw error;
      const detail = `cannot be applied to the data ${what}: ${error.message}`;
      faults.push({ pointer: '/upcast', detail });
    }
  }
  return faults;
}

/** An example need not say of which type and version it is; it must not say anything else. */
async function exampleFaults(
  example: Readonly<Record<string, unknown>>,
  type: EventType,
  validators: EventValidators,
): Promise<readonly Fault[]> {
  const version = type.versions.length + 1;
  const event = { type: type.type, version, ...example };
  if (!exampleCheck.Check(event)) return [...exampleCheck.Errors(event)].flatMap(faultsOf);
  if (event.type !== type.type) return [{ pointer: '/type', detail: `has to be ${type.type}` }];
  if (event.version !== version) return [{ pointer: '/version', detail: `has to be ${version}` }];
  const { tags = {}, metadata = {}, data } = event;
  const draft = new EventDraft(asNewEvent(type.type, JSON.stringify({ version, tags, metadata, data })));
  addTagsFromData(draft, type);
  return await faultsOfEvent(draft.content, validators);
}

function asNewEvent(type: string, json: string): NewEvent {
  return { id: '', type, timestamp: null, terms: [], body: json.slice(1, -1), sent: 0 };
}

/** @throws StoreError VALIDATION_FAILED for settings of a type that have the shape and cannot be meant. */
export function requireSettings({ tagsFromData = {} }: TypeSettings): void {
  const faults = new Faults();
  for (const [key, pointer] of Object.entries(tagsFromData)) {
    if (pointerPath(pointer) === undefined) faults.add(['tagsFromData', key], 'is not a JSON Pointer');
  }
  if (!faults.none) throw faults.error();
}
