import { type Static, Type } from '@sinclair/typebox';
import { LIMITS } from '../../limits.ts';
import { Tags } from '../event.ts';
import { ViewProblem } from '../view-problem.ts';
import type { DraftEvent } from './draft.ts';
import type { EventParts } from './parts.ts';
import type { Rest } from './rest.ts';
import type { SentObject } from './sent-object.ts';

/**
 * The member `stele` of the shapes: what they have no place for. It is there only where there is something of the kind,
 * and what stands in it goes before what the shape says by itself.
 */
export const SteleMember = Type.Object(
  {
    tags: Type.Optional(Tags),
    metadata: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description:
            'Members of the metadata that the shape has no place for. They go before those it has.',
        },
      ),
    ),
    unset: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: LIMITS.metadataValueLengthMax }), {
        minItems: 1,
        maxItems: 16,
        uniqueItems: true,
        description:
          'Members of the metadata that do not exist: the shape says them because it has to say something.',
      }),
    ),
    // Taken and not stored, so that what was read can be sent on.
    problem: Type.Optional(ViewProblem),
  },
  { additionalProperties: false, description: 'What this shape of an event has no place for.' },
);
export type SteleMember = Static<typeof SteleMember>;

/** Adds what stands in `stele` to an event. */
export function readSteleMember(draft: DraftEvent, sent: SentObject, value: SteleMember | undefined): void {
  if (value === undefined) return;
  const stele = sent.object('stele');
  for (const name of value.unset ?? []) draft.unset(name);
  draft.set('tags', stele.raw('tags'), '/stele/tags');
  const metadata = stele.object('metadata');
  for (const name of metadata.names) {
    draft.setMetadata(name, metadata.raw(name), pointerTo('/stele/metadata', name));
  }
}

/** The members that end the text of a shape: `,"stele":{…}`, or nothing. */
export function renderSteleMember(
  rest: Rest,
  { problem }: EventParts,
  { tags, metadata = rest.metadata }: { tags?: Tags; metadata?: Readonly<Record<string, unknown>> } = {},
): string {
  const members = {
    ...(tags === undefined || Object.keys(tags).length === 0 ? {} : { tags }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(rest.unset.length === 0 ? {} : { unset: rest.unset }),
    ...(problem === undefined ? {} : { problem }),
  };
  return Object.keys(members).length === 0 ? '' : `,"stele":${JSON.stringify(members)}`;
}

export function pointerTo(at: string, name: string): string {
  return `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
