import { readFileSync } from 'node:fs';
import { ConfigError } from './config-error.ts';

/**
 * Where the client verbs of the command line find a service. It has a file of its own: those verbs start often and from scripts,
 * and the settings of the service load what checks them.
 */
interface ClientSettings {
  readonly url: string;
  readonly key: string | undefined;
}

/** `--url`, `STELE_URL`; `--key-file`, `STELE_KEY_FILE`, `STELE_KEY`. @throws ConfigError */
export function loadClientSettings(
  flags: { url?: string | undefined; keyFile?: string | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClientSettings {
  const url = flags.url ?? env['STELE_URL'] ?? 'http://127.0.0.1:7373';
  if (!/^https?:\/\/./.test(url) || !URL.canParse(url)) {
    throw new ConfigError([`url = ${JSON.stringify(url)}: is not a URL such as http://127.0.0.1:7373.`]);
  }
  const file = flags.keyFile ?? env['STELE_KEY_FILE'];
  if (file === undefined) return { url, key: env['STELE_KEY'] };
  try {
    return { url, key: readFileSync(file, 'utf8').trim() };
  } catch (error) {
    throw new ConfigError([`The key file ${file} cannot be read: ${(error as Error).message}.`]);
  }
}
