import { StoreError } from '../../errors.ts';
import { JOBS, NOTES, NOTES_OF_ONE_LOG } from '../notes.ts';
import { translate } from './errors.ts';
import { withClient } from './migrate.ts';
import { parsePostgresUrl } from './options.ts';

/**
 * Gives the log of a database that was set back to an earlier moment a new id.
 *
 * Positions that clients have seen will be given to other events from then on. Nothing in the database can tell that
 * it was set back, so whoever restored it has to say so; what clients hold of the old history (cursors, positions they
 * follow from, `expectedLog`) is refused by its id with LOG_MISMATCH instead of missing events.
 *
 * It takes the owner of the schema, because the trigger that keeps the log as it is has to be switched off for it, and
 * it is refused while a service is connected: that one would go on to show the old id.
 */
export async function renewLogId(url: string): Promise<{ readonly from: string; readonly to: string }> {
  return withClient(parsePostgresUrl(url), async (client, { schema }) => {
    const { rows: states } = await client
      .query({
        text: `select pg_is_in_recovery()::text, to_regclass($1)::text,
                      (select count(*) from pg_stat_activity
                        where datname = current_database() and pid <> pg_backend_pid()
                          and application_name = 'stele')::text`,
        values: [`${schema}.log`],
        rowMode: 'array',
      })
      .catch((error: unknown) => {
        throw translate(error, 'looking at the log');
      });
    const [recovering, log, services] = states[0] as unknown as [string, string | null, string];
    if (recovering === 'true') {
      throw new StoreError(
        'READ_ONLY',
        'The database is still in recovery. Wait for its promotion, or promote it with select pg_promote().',
      );
    }
    if (log === null) {
      throw new StoreError('STORAGE_ERROR', `There is no log in the schema ${schema} of this database.`);
    }
    if (services !== '0') {
      throw new StoreError(
        'STORAGE_ERROR',
        'A service is connected to the database and would go on to show the old id of the log. Stop it first.',
      );
    }
    try {
      await client.query("set lock_timeout = '5s'; begin");
      const { rows } = await client.query<{ from: string }>(`select log_id as from from ${schema}.log`);
      await client.query(`alter table ${schema}.log disable trigger immutable_row`);
      const { rows: renewed } = await client.query<{ to: string }>(
        `update ${schema}.log set log_id = gen_random_uuid() returning log_id as to`,
      );
      await client.query(`alter table ${schema}.log enable trigger immutable_row`);
      // What was noted of the old history, and work that was under way in it, say nothing of this one.
      await client.query(
        `delete from ${schema}.documents where collection = $1 or collection = $2 and key = any ($3)`,
        [JOBS, NOTES, NOTES_OF_ONE_LOG],
      );
      await client.query('commit');
      return { from: rows[0]?.from ?? '', to: renewed[0]?.to ?? '' };
    } catch (error) {
      throw translate(error, 'giving the log a new id');
    }
  });
}
