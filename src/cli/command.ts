import { didYouMean } from '../spelling.ts';

/** One verb of the command line. Each has a file of its own in this folder, which exports it as `command`. */
export interface Command {
  /** One line for the list of verbs. */
  readonly summary: string;
  /** What `stele <verb> --help` shows: usage, flags, examples. */
  help(): string;
  /** @returns the exit code, one of EXIT. What it throws is reported and turned into a code by main.ts. */
  run(argv: readonly string[]): Promise<number>;
  /** Verbs of the second order, such as `load` of `stele types load`. Without one of them `run` is called. */
  readonly verbs?: Verbs;
}

/** Verbs by their names. Each is loaded when it is used: `stele help` answers at once. */
export type Verbs = Readonly<Record<string, () => Promise<{ command: Command }>>>;

/** Exit codes, for scripts. A process that was ended by a signal has the shell's code for it, such as 130. */
export const EXIT = {
  ok: 0,
  /** Anything without a code of its own, a fault of the service included. */
  failure: 1,
  /** Wrong flags, or a configuration that is not valid. */
  usage: 2,
  /** A condition failed, or an id is taken: decide again. */
  conflict: 3,
  /** Nothing answered, or not now: try again. */
  unavailable: 4,
  /** The input was refused; it would be refused again. */
  refused: 5,
  /** The key is missing, unknown, or does not allow this. */
  denied: 6,
  /** Done with what is whole of a damaged store, as `--damaged` asked for. */
  incomplete: 7,
} as const;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The flags of a verb by their names: whether they take a value, and whether more than once. */
export type FlagNames = Readonly<Record<string, 'switch' | 'value' | 'values'>>;

export interface Arguments {
  readonly positionals: readonly string[];
  has(name: string): boolean;
  value(name: string): string | undefined;
  values(name: string): readonly string[];
  /** With `allowOthers`: what is not a flag of the verb, in its order. */
  readonly others: readonly string[];
}

/**
 * Reads the arguments of a verb. `--flag value` and `--flag=value` are the same, and `--` ends the flags.
 *
 * `allowOthers` leaves what is not known in `others`, for verbs that hand the rest on to the configuration.
 *
 * @throws UsageError for flags that are not known, lack their value or stand twice.
 */
export function readArguments(
  argv: readonly string[],
  names: FlagNames,
  options: { allowOthers?: boolean; positionalsMax?: number } = {},
): Arguments {
  const found = new Map<string, string[]>();
  const positionals: string[] = [];
  const others: string[] = [];
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') {
      positionals.push(...rest);
      break;
    }
    if (!argument.startsWith('--') || options.allowOthers === true) {
      const name = argument.slice(2).split('=', 1)[0] ?? '';
      if (options.allowOthers === true && !(argument.startsWith('--') && name in names)) {
        others.push(argument);
        continue;
      }
    }
    if (!argument.startsWith('--')) {
      if (argument.startsWith('-') && argument !== '-') throw new UsageError(`${argument}: is not a flag.`);
      positionals.push(argument);
      continue;
    }
    const [name = '', ...parts] = argument.slice(2).split('=');
    const kind = names[name];
    if (kind === undefined) {
      const known = Object.keys(names).map((flag) => `--${flag}`);
      throw new UsageError(`--${name}: is not a flag of this verb.${didYouMean(`--${name}`, known)}`);
    }
    if (kind === 'switch' && parts.length > 0) throw new UsageError(`--${name}: takes no value.`);
    const value = kind === 'switch' ? '' : parts.length > 0 ? parts.join('=') : rest.shift();
    if (value === undefined) throw new UsageError(`--${name}: needs a value.`);
    const before = found.get(name);
    if (before !== undefined && kind !== 'values') throw new UsageError(`--${name}: stands twice.`);
    found.set(name, [...(before ?? []), value]);
  }
  const { positionalsMax = 0 } = options;
  if (positionals.length > positionalsMax) {
    throw new UsageError(`${positionals[positionalsMax]}: is not expected here.`);
  }
  return {
    positionals,
    others,
    has: (name) => found.has(name),
    value: (name) => found.get(name)?.[0],
    values: (name) => found.get(name) ?? [],
  };
}

/** A flag with a whole number. @throws UsageError */
export function wholeNumber(
  args: Arguments,
  name: string,
  bounds: { min: number; max: number },
): number | undefined {
  const text = args.value(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < bounds.min || value > bounds.max) {
    throw new UsageError(`--${name} ${text}: has to be a whole number from ${bounds.min} to ${bounds.max}.`);
  }
  return value;
}
