import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { Logger } from 'pino';
import { ConfigError } from '../config-error.ts';
import type { Caller } from './policy.ts';

/**
 * Bearer keys and who they stand for, read from a JSON file:
 *
 *   { "keys": [
 *     { "name": "ci", "role": "writer", "sha256": "9f86d081884c7d659a2feaa0c55ad015…" },
 *     { "name": "dashboard", "role": "reader", "key": "at least 16 characters" }
 *   ] }
 *
 * A key is kept and compared by its SHA-256 alone. `sha256` in the file keeps it out of the file as well
 * (`printf %s "$KEY" | sha256sum`). Keys are long and random, so a slow password hash would protect nothing.
 *
 * The file is read again when it changes, and on demand. One that is not valid stops the start; later it is
 * reported and the keys known before stay, so that a slip of the editor locks nobody out and lets nobody in.
 */
const KeyEntry = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$' }),
    role: Type.Union([Type.Literal('reader'), Type.Literal('writer'), Type.Literal('admin')]),
    sha256: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{64}$' })),
    key: Type.Optional(Type.String({ pattern: '^[!-~]{16,512}$' })),
  },
  { additionalProperties: false },
);
const KeysFile = Type.Object({ keys: Type.Array(KeyEntry) }, { additionalProperties: false });
const keysCheck = TypeCompiler.Compile(KeysFile);

const BEARER = /^Bearer +([!-~]+) *$/i;
const POLL_MS = 2000;
const NOBODY = Buffer.alloc(32);

interface KnownKey {
  readonly digest: Buffer;
  readonly caller: Caller;
}

export class KeyRing {
  readonly #path: string;
  readonly #logger: Logger;
  #keys: ReadonlyMap<string, KnownKey>;

  /** @throws ConfigError that says what is wrong with the file. */
  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    this.#keys = readKeys(path);
  }

  get size(): number {
    return this.#keys.size;
  }

  /** The caller behind an `Authorization` header. */
  find(authorization: string): Caller | undefined {
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) return undefined;
    const digest = createHash('sha256').update(token).digest();
    const known = this.#keys.get(digest.toString('hex'));
    // Compared in constant time, and as well for a key that nobody has: both ways take the same steps.
    const equal = timingSafeEqual(known?.digest ?? NOBODY, digest);
    return equal ? known?.caller : undefined;
  }

  /** Watches by polling: editors and mounted secrets replace files instead of writing them, which watches miss. */
  start(): void {
    watchFile(this.#path, { interval: POLL_MS, persistent: false }, this.#onChange);
  }

  stop(): void {
    unwatchFile(this.#path, this.#onChange);
  }

  reload(): void {
    try {
      this.#keys = readKeys(this.#path);
      this.#logger.info({ file: this.#path, keys: this.#keys.size }, 'keys file read again');
    } catch (error) {
      this.#logger.error(
        { file: this.#path, err: error },
        'keys file not usable; the keys known before stay',
      );
    }
  }

  readonly #onChange = (): void => this.reload();
}

/** Reads the file as the start of the service would. @throws ConfigError */
export function checkKeysFile(path: string): void {
  readKeys(path);
}

function readKeys(path: string): ReadonlyMap<string, KnownKey> {
  const refusal = (what: string) => new ConfigError([`keysFile = ${JSON.stringify(path)}: ${what}.`]);
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    // The parser's message quotes the text, and the text holds keys.
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    throw refusal(code === undefined ? 'is not JSON' : `cannot be read (${code})`);
  }
  if (!keysCheck.Check(content)) {
    const fault = keysCheck.Errors(content).First();
    const choices: { const: string }[] | undefined = fault?.schema['anyOf'];
    const why = choices?.map((choice) => choice.const).join(', ');
    throw refusal(
      `is not valid: ${fault?.path || 'it'}: ${why === undefined ? fault?.message : `has to be one of ${why}`}`,
    );
  }
  const keys = new Map<string, KnownKey>();
  const names = new Set<string>();
  for (const [index, { name, role, sha256, key }] of content.keys.entries()) {
    const place = `is not valid: /keys/${index}`;
    if ((sha256 === undefined) === (key === undefined)) throw refusal(`${place}: give either sha256 or key`);
    if (name === 'open' || names.has(name)) throw refusal(`${place}/name: "${name}" is taken`);
    const digest =
      sha256 === undefined
        ? createHash('sha256')
            .update(key ?? '')
            .digest()
        : Buffer.from(sha256, 'hex');
    const hex = digest.toString('hex');
    if (keys.has(hex)) throw refusal(`${place}: the key stands twice in the file`);
    names.add(name);
    keys.set(hex, { digest, caller: { name, role } });
  }
  return keys;
}
