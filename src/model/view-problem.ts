import { type Static, Type } from '@sinclair/typebox';

/** Why an event is not shown as its reader asked for it, but as it is stored. */
export const ViewProblem = Type.Object(
  { title: Type.String(), detail: Type.String() },
  {
    description:
      'Only of an event that cannot be shown in the version that `?version=` asks for: it is as it is stored. In other shapes `stele.problem`, of CloudEvents the attribute `steleproblem` with the detail.',
    examples: [
      {
        title: 'The event cannot be shown in version 2',
        detail: '/assignee is a string, which has no members.',
      },
    ],
  },
);
export type ViewProblem = Static<typeof ViewProblem>;
