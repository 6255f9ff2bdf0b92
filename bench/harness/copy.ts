import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

/** What PostgreSQL itself can do with the same rows: the measure of every bulk path. */

/** Sends the result of a query as COPY and drops it. Gives the bytes and the seconds it took. */
export async function copyOut(url: string, query: string): Promise<{ bytes: number; seconds: number }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let bytes = 0;
    const drain = new Writable({
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        done();
      },
    });
    const startedMs = performance.now();
    await pipeline(client.query(copyTo(`COPY (${query}) TO STDOUT`)), drain);
    return { bytes, seconds: (performance.now() - startedMs) / 1000 };
  } finally {
    await client.end();
  }
}

/** Loads prepared text into tables in one transaction, table after table. Gives the seconds it took. */
export async function copyIn(
  url: string,
  tables: readonly { into: string; text: Buffer }[],
): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const startedMs = performance.now();
    await client.query('BEGIN');
    for (const { into, text } of tables) {
      await pipeline(slices(text), client.query(copyFrom(`COPY ${into} FROM STDIN`)));
    }
    await client.query('COMMIT');
    return (performance.now() - startedMs) / 1000;
  } finally {
    await client.end();
  }
}

function* slices(text: Buffer): Generator<Buffer> {
  for (let at = 0; at < text.length; at += 65_536) yield text.subarray(at, at + 65_536);
}

/** A value as COPY's text format wants it. */
export function copyText(value: string): string {
  return value.replace(/[\\\t\n\r]/g, (mark) =>
    mark === '\\' ? '\\\\' : mark === '\t' ? '\\t' : mark === '\n' ? '\\n' : '\\r',
  );
}
