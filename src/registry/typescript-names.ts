/** What the code of a catalogue calls a type. */
export interface TypeNames {
  /** `ISSUE_ASSIGNED_SUCCESS`: the type as a constant. */
  readonly constant: string;
  /** `IssueAssignedSuccess`: what its events are. */
  readonly event: string;
  /** `issueAssignedSuccess`: the function that makes one. */
  readonly builder: string;
  /** `issueAssigned`: the same function; absent where the name would be too short or another's. */
  readonly shortBuilder: string | undefined;
}

/** What cannot be the name of a function in a module, or would hide what everybody knows by it. */
const RESERVED = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false
  finally for function if implements import in instanceof interface let new null package private protected public return
  static super switch this throw true try typeof undefined var void while with yield`.split(/\s+/),
);

/**
 * Names for types, by a rule that looks at the type alone, so that a type which is added never renames another: the
 * words of the type, in the spelling of the language. The last segment `SUCCESS` can be left out (`issueAssigned` for
 * `ISSUE.ASSIGNED.SUCCESS`) where two segments are left and no other type is called so; the long name is there all the
 * same, and is the one that stays.
 *
 * @param taken names of the module that no type may have
 * @returns the names, and the pairs of types that cannot be told apart by them
 */
export function typescriptNames(
  types: readonly string[],
  taken: ReadonlySet<string>,
): { names: ReadonlyMap<string, TypeNames>; clashes: readonly (readonly [string, string])[] } {
  const names = new Map<string, TypeNames>();
  const owners = new Map<string, string>();
  const clashes: [string, string][] = [];
  for (const type of types) {
    const builder = builderName(type, taken);
    const owner = owners.get(builder);
    if (owner !== undefined) clashes.push([owner, type]);
    owners.set(builder, type);
    const event = pascal(type);
    names.set(type, {
      constant: wordsOf(type)
        .map((word) => word.toUpperCase())
        .join('_')
        .replace(/^\d/, '_$&'),
      event: taken.has(event) ? `${event}Event` : event,
      builder,
      shortBuilder: undefined,
    });
  }
  for (const [type, own] of names) {
    const segments = type.split('.');
    if (segments.length < 3 || segments.at(-1)?.toLowerCase() !== 'success') continue;
    const short = builderName(segments.slice(0, -1).join('.'), taken);
    if (!owners.has(short)) names.set(type, { ...own, shortBuilder: short });
  }
  return { names, clashes };
}

function builderName(type: string, taken: ReadonlySet<string>): string {
  const name = pascal(type).replace(/^[A-Z]/, (letter) => letter.toLowerCase());
  return RESERVED.has(name) || taken.has(name) ? `${name}Event` : name;
}

/** `WORKFLOW.STEP_COMPLETED` → `WorkflowStepCompleted`. */
export function pascal(text: string): string {
  const name = wordsOf(text).map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase());
  return name.join('').replace(/^\d/, '_$&');
}

function wordsOf(text: string): string[] {
  return text
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .split(/[^A-Za-z\d]+/)
    .filter((word) => word !== '');
}
