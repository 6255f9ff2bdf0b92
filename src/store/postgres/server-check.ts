import type pg from 'pg';
import { StoreError } from '../../errors.ts';

/**
 * Whether a server can hold the log at all, asked before anything is written to it: a migration that fails halfway
 * through on what an old server does not know would say less.
 */
const VERSION_NUM_MIN = 140_000;

/** @throws StoreError STORAGE_ERROR with what to do. */
export async function checkServer(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<[string, string]>({
    text: `select current_setting('server_version_num'), current_setting('server_encoding')`,
    rowMode: 'array',
  });
  const [versionNum = '', encoding = ''] = rows[0] ?? [];
  const refusal = serverRefusal({ versionNum: Number(versionNum), encoding });
  if (refusal !== undefined) throw new StoreError('STORAGE_ERROR', refusal);
}

/** Why the log cannot be there; undefined when it can. The number is that of `server_version_num`. */
export function serverRefusal(server: { versionNum: number; encoding: string }): string | undefined {
  const { versionNum, encoding } = server;
  if (versionNum < VERSION_NUM_MIN) {
    // Before version 10 the second of three numbers belonged to it: 90624 is 9.6.
    const major = Math.floor(versionNum / 10_000);
    const version = major >= 10 ? major : `${major}.${Math.floor(versionNum / 100) % 100}`;
    return `The database is PostgreSQL ${version}, and it has to be 14 or newer. Upgrade it.`;
  }
  if (encoding !== 'UTF8') {
    // Events are any text of Unicode. SQL_ASCII takes all bytes, and has other lengths and another order for them.
    return `The encoding of the database is ${encoding}, and it has to be UTF8. Make one with: create database … encoding 'UTF8' template template0.`;
  }
  return undefined;
}
