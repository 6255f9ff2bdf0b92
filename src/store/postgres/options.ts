import { StoreError } from '../../errors.ts';

/**
 * What a `postgres://` URL says beside where the database is. Parameters that are not ours (`sslmode`, `user` …)
 * are left to the driver; an unknown one is refused by name.
 */
export interface PostgresOptions {
  /** The URL for the driver, without our parameters. */
  readonly connectionString: string;
  readonly schema: string;
  /** Connections for reads. Appends, listening and migrations use one each beside them. */
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** Positions in a partition; read from the database once the schema exists. */
  readonly partitionSize: number;
  readonly pollMs: number;
  /** Start although `fsync` or `synchronous_commit` is off, and report it as a fault for as long as it lasts. */
  readonly unsafeDurability: boolean;
}

const INTEGERS = {
  poolSize: { initial: 10, min: 1, max: 500 },
  connectTimeoutMs: { initial: 3000, min: 100, max: 60_000 },
  statementTimeoutMs: { initial: 15_000, min: 100, max: 3_600_000 },
  lockTimeoutMs: { initial: 5000, min: 100, max: 60_000 },
  partitionSize: { initial: 2 ** 26, min: 16, max: 2 ** 40 },
  pollMs: { initial: 1000, min: 10, max: 60_000 },
} as const;

const DRIVER_PARAMETERS = [
  'application_name',
  'host',
  'port',
  'user',
  'password',
  'database',
  'ssl',
  'sslmode',
  'sslcert',
  'sslkey',
  'sslrootcert',
  'sslnegotiation',
  'uselibpqcompat',
  'keepalives',
  'options',
  'encoding',
];

/** @throws StoreError VALIDATION_FAILED with the parameter and its value. */
export function parsePostgresUrl(text: string): PostgresOptions {
  const url = new URL(text);
  const integer = (name: keyof typeof INTEGERS): number => {
    const value = url.searchParams.get(name);
    const { initial, min, max } = INTEGERS[name];
    if (value === null) return initial;
    const parsed = Number(value);
    if (!/^\d+$/.test(value) || parsed < min || parsed > max) {
      throw bad(name, value, `a whole number from ${min} to ${max}`);
    }
    return parsed;
  };
  const schema = url.searchParams.get('schema') ?? 'stele';
  if (!/^[a-z_][a-z0-9_]{0,47}$/.test(schema)) {
    throw bad('schema', schema, 'a lower-case identifier of at most 48 characters');
  }
  const durability = url.searchParams.get('unsafeDurability') ?? 'false';
  if (durability !== 'true' && durability !== 'false')
    throw bad('unsafeDurability', durability, 'true or false');
  const ours = [...Object.keys(INTEGERS), 'schema', 'unsafeDurability'];
  for (const [name, value] of url.searchParams) {
    if (!ours.includes(name) && !DRIVER_PARAMETERS.includes(name)) {
      throw bad(name, value, `one of ${ours.join(', ')}, or a parameter of the driver`);
    }
  }
  const options = {
    schema,
    poolSize: integer('poolSize'),
    connectTimeoutMs: integer('connectTimeoutMs'),
    statementTimeoutMs: integer('statementTimeoutMs'),
    lockTimeoutMs: integer('lockTimeoutMs'),
    partitionSize: integer('partitionSize'),
    pollMs: integer('pollMs'),
    unsafeDurability: durability === 'true',
  };
  for (const name of ours) url.searchParams.delete(name);
  return { connectionString: url.toString(), ...options };
}

function bad(name: string, value: string, wanted: string): StoreError {
  return new StoreError(
    'VALIDATION_FAILED',
    `The parameter ${name}=${value} of the store URL is not valid: it has to be ${wanted}.`,
  );
}
