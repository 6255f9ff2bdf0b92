import type { PatchOperation } from '../model/json-value.ts';
import type { Change, Difference, RuleDifference, TypeDifference } from '../registry/catalogue-difference.ts';

/** A difference for people: a line for each type and rule, and below it what is not the same. */
export function differenceLines({ types, rules }: Difference, { isBrief }: { isBrief: boolean }): string[] {
  const isShown = ({ change }: { change: Change }) => !isBrief || change !== 'same';
  return [...types.filter(isShown).flatMap(typeLines), ...rules.filter(isShown).flatMap(ruleLines)];
}

/** How many types and rules are of each sort, such as `types: 2 added, 26 same`. */
export function summary({ types, rules }: Difference): string {
  const parts = [
    ['types', types],
    ['rules', rules],
  ] as const;
  return parts
    .filter(([, all]) => all.length > 0)
    .map(([what, all]) => {
      const counts = CHANGES.map((change) => [all.filter((one) => one.change === change).length, change]);
      const told = counts.filter(([count]) => count !== 0).map((pair) => pair.join(' '));
      return `${what}: ${told.join(', ')}`;
    })
    .join('; ');
}

const CHANGES: readonly Change[] = ['added', 'changed', 'conflict', 'ahead', 'same'];

/** What a service and files have in common is nothing to do; all else is a difference. */
export function isSame({ types, rules }: Difference): boolean {
  return [...types, ...rules].every(({ change }) => change === 'same');
}

export function conflictsOf({ types }: Difference): readonly TypeDifference[] {
  return types.filter(({ change }) => change === 'conflict');
}

function typeLines({ type, change, settings, versions }: TypeDifference): string[] {
  const told = versions.filter((version) => version.change !== 'same');
  const notes = told.map((version) => `version ${version.version} ${NOTES[version.change]}`);
  const note = notes.length === 0 ? '' : `  ${notes.join(', ')}`;
  return [
    `${change.padEnd(8)}  ${type}${note}`,
    ...(settings.change === 'changed' ? patchLines(settings.patch) : []),
    ...versions.flatMap(({ version, patch }) => patchLines(patch, `version ${version} `)),
  ];
}

const NOTES: Readonly<Record<Change, string>> = {
  added: 'is new',
  changed: 'is changed',
  same: 'is the same',
  conflict: 'is registered with another content',
  ahead: 'is registered and not in the files',
};

function ruleLines({ rule, change, patch }: RuleDifference): string[] {
  return [`${change.padEnd(8)}  rule ${rule}`, ...patchLines(patch)];
}

function patchLines(patch: readonly PatchOperation[], what = ''): string[] {
  return patch.map((operation) => `          ${what}${operation.path}: ${change(operation)}`);
}

/** What the service has comes first. */
function change(operation: PatchOperation): string {
  if (operation.op === 'add') return `not registered → ${shortened(operation.value)}`;
  if (operation.op === 'remove') return `${shortened(operation.before)} → not in the files`;
  return `${shortened(operation.before)} → ${shortened(operation.value)}`;
}

const VALUE_LENGTH_MAX = 120;

function shortened(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text;
}
