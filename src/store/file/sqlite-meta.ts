import type { Connection } from './sqlite-connection.ts';

/** Notes something about the index as a whole. */
export function remember(connection: Connection, name: string, value: string): void {
  connection.run('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', name, value);
}

export function recall(connection: Connection, name: string): string | undefined {
  return connection.rows('SELECT value FROM meta WHERE name = ?', name)[0]?.[0] as string | undefined;
}
