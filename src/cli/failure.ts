import { SteleError } from '../client/error.ts';
import { ConfigError } from '../config-error.ts';
import { StoreError } from '../errors.ts';
import { EXIT, UsageError } from './command.ts';

/** What a failed verb says: what failed, on what, and what to do about it where that is known. */
export function report(error: unknown): string {
  if (error instanceof UsageError) return `stele: ${error.message}\nTry stele help.`;
  if (error instanceof ConfigError) return `stele: ${error.message}`;
  if (error instanceof SteleError) {
    const faults = (error.problem?.errors ?? []).map(({ pointer, detail }) => `  ${pointer} ${detail}`);
    const id = error.requestId === undefined ? [] : [`  request ${error.requestId}`];
    return [`stele: ${error.code}: ${error.message}${causes(error)}`, ...faults, ...id].join('\n');
  }
  if (error instanceof StoreError) return `stele: ${error.code}: ${error.message}${causes(error)}`;
  return `stele: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof ConfigError) return EXIT.usage;
  const isKnown = error instanceof SteleError || error instanceof StoreError;
  if (!isKnown) return EXIT.failure;
  const { status } = error;
  // Without an answer there is no status: nothing came, or nothing that says what became of an append.
  if (status === 0) return EXIT.unavailable;
  if (status === 401 || status === 403) return EXIT.denied;
  if (status === 409) return EXIT.conflict;
  if (status === 503 || status === 504) return EXIT.unavailable;
  return status >= 400 && status < 500 ? EXIT.refused : EXIT.failure;
}

/** The chain behind an error, such as `caused by connect ECONNREFUSED …`: what failed says little without it. */
function causes(error: Error): string {
  const texts: string[] = [];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    // A connection that was tried on several addresses has one message for each.
    const inner = cause instanceof AggregateError ? cause.errors.map(String).join('; ') : cause.message;
    texts.push(inner);
  }
  return texts.length === 0 ? '' : `\n  caused by ${texts.join('\n  caused by ')}`;
}
