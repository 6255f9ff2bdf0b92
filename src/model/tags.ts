import { Type } from '@sinclair/typebox';
import { LIMITS } from '../limits.ts';
import { Text } from './text.ts';

/** The alphabets of types and tags, shared by events, queries and filters. */
export const TYPE_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.:-]*$';
export const SYSTEM_TYPE_PATTERN = '^[$]?[A-Za-z0-9][A-Za-z0-9_.:-]*$';
export const TAG_KEY_PATTERN = `^[A-Za-z0-9_.-]{1,${LIMITS.tagKeyLengthMax}}$`;

/** A type where events are selected: the system's own (`$stele.…`) can be named too. */
export const EventTypeName = Type.String({
  pattern: SYSTEM_TYPE_PATTERN,
  minLength: 1,
  maxLength: LIMITS.typeLengthMax,
  examples: ['ISSUE.ASSIGNED.SUCCESS'],
});

export const TagKey = Type.String({ pattern: TAG_KEY_PATTERN });

export const TagValue = Text({
  minLength: 1,
  maxLength: LIMITS.tagValueLengthMax,
  description: 'Any text, compared exactly: case, blanks, no Unicode normalisation.',
});
