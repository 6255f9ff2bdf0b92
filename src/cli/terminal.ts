import { once } from 'node:events';

/**
 * Data goes to standard output, and only data; everything said to people goes to standard error. So the output
 * of every verb can be piped, and what went wrong is still seen.
 */

/** Writes data, and waits while the reader is behind: a long read stays in bounded memory. */
export async function writeOut(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export function tell(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** `stele query | head` closes the pipe when it has seen enough: the end of the work, not a failure of it. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  // Without its reader there is nobody left to tell anything to.
  process.stderr.on('error', () => undefined);
}

/** `[['--port <n>', 'text']]` as the two columns of a help text. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(30, Math.max(...rows.map(([left]) => left.length)));
  return rows
    .map(([left, right]) => {
      const gap = left.length > width ? `\n${' '.repeat(width + 4)}` : ' '.repeat(width - left.length + 2);
      return `  ${left}${gap}${right}`;
    })
    .join('\n');
}
