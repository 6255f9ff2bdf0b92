import { Type } from '@sinclair/typebox';
import { LIMITS } from '../src/limits.ts';
import { EventFilter } from '../src/model/filter.ts';
import { Text } from '../src/model/text.ts';
import { ReadParameters } from './read.ts';

/** The shapes of snapshots, and of what is asked about them. */
export const SnapshotInput = Type.Object(
  {
    data: Type.Optional(
      Type.Unknown({
        description:
          'The state: any JSON value. Absent: the `data` of the events that the filter selects, merged one into the other (RFC 7396) from the latest snapshot with this filter on.',
      }),
    ),
    position: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The last position that the state is made of. Default: the head.',
      }),
    ),
    filter: Type.Optional(EventFilter),
  },
  {
    additionalProperties: false,
    description: 'With `data`, `filter`, or both. With neither, the filter of the latest snapshot is used.',
    examples: [
      { data: { status: 'open', assignee: 'u-1' }, position: 17, filter: { tags: { issueId: '42' } } },
    ],
  },
);

export const AggregateId = Text({
  minLength: 1,
  maxLength: LIMITS.aggregateIdLengthMax,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$',
  description: 'Any text without control characters.',
  examples: ['issue-42'],
});
const version = (description?: string) =>
  Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    ...(description === undefined ? {} : { description }),
  });
const Version = version();

const About = {
  aggregateId: AggregateId,
  version: Version,
  position: Type.Integer({ minimum: 0, description: 'The last position that the state is made of.' }),
  filter: Type.Optional(EventFilter),
  createdAt: Type.String({ format: 'date-time' }),
};
export const SnapshotAnswer = Type.Object(
  { ...About, data: Type.Unknown({ description: 'The state, as it was sent.' }) },
  { description: 'A snapshot. With a filter, `Link: rel="next"` leads to the events after its position.' },
);
export const VersionsAnswer = Type.Object(
  {
    versions: Type.Array(Type.Object(About)),
    next: Type.Union([Type.Integer(), Type.Null()], {
      description: '`belowVersion` of the next page; null when this was the last.',
    }),
  },
  { description: 'The versions without their data, the latest first.' },
);

export const AggregateParams = Type.Object({ aggregateId: AggregateId });
export const VersionParams = Type.Object({ aggregateId: AggregateId, version: Version });

export const LatestQuery = Type.Object(
  {
    maxVersion: Type.Optional(version('The latest up to this version.')),
    at: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'The latest that is made of nothing recorded after this time.',
      }),
    ),
    ...ReadParameters,
  },
  { additionalProperties: false },
);
export const VersionsQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: LIMITS.pageSizeMax, default: LIMITS.pageSizeMax }),
    ),
    belowVersion: Type.Optional(version('Only versions below this one.')),
    ...ReadParameters,
  },
  { additionalProperties: false },
);
export const ReadQuery = Type.Object(ReadParameters, { additionalProperties: false });
export const WriteQuery = Type.Object({ log: ReadParameters.log }, { additionalProperties: false });

export const NOT_MODIFIED = Type.Null({ description: 'The snapshot is as the client knows it.' });
export const REMOVED = Type.Null({ description: 'Removed.' });
