import { type Static, Type } from '@sinclair/typebox';

/**
 * One step from the data of a version to that of the next. `rename` changes the last name of a path in its place, `move` and `copy`
 * write to another path, `default` writes where nothing is, `set` writes whatever is there. Paths are JSON Pointers into `data`.
 */
const Path = Type.String({ pattern: '^/', maxLength: 1024 });
const Name = Type.String({ minLength: 1, maxLength: 256 });

export const UpcastOperation = Type.Union([
  Type.Object({ op: Type.Literal('rename'), path: Path, to: Name }, { additionalProperties: false }),
  Type.Object({ op: Type.Literal('move'), from: Path, path: Path }, { additionalProperties: false }),
  Type.Object({ op: Type.Literal('copy'), from: Path, path: Path }, { additionalProperties: false }),
  Type.Object({ op: Type.Literal('remove'), path: Path }, { additionalProperties: false }),
  Type.Object(
    { op: Type.Literal('default'), path: Path, value: Type.Unknown() },
    { additionalProperties: false },
  ),
  Type.Object(
    { op: Type.Literal('set'), path: Path, value: Type.Unknown() },
    { additionalProperties: false },
  ),
]);
export type UpcastOperation = Static<typeof UpcastOperation>;
