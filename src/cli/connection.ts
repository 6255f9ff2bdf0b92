import { type Client, createClient } from '../client/index.ts';
import { loadClientSettings } from '../config-client.ts';
import { type Arguments, type FlagNames, wholeNumber } from './command.ts';
import { tell } from './terminal.ts';

/** The flags of every verb that talks to a running service. */
export const CONNECTION_FLAGS: FlagNames = { url: 'value', 'key-file': 'value', 'retry-seconds': 'value' };

export const CONNECTION_HELP = `Which service:
  --url <url>            STELE_URL, else http://127.0.0.1:7373
  --key-file <file>      file with the bearer key; also STELE_KEY_FILE, or the key itself in STELE_KEY
  --retry-seconds <n>    how long to go on trying while nothing answers [30]`;

/**
 * A client of the service that the flags name; tells when it has to try again. Verbs that compare with a service may name
 * it with `--against` in place of `--url`.
 */
export function connect(args: Arguments): Client {
  const named = args.value('url') ?? args.value('against');
  const { url, key } = loadClientSettings({ url: named, keyFile: args.value('key-file') });
  const seconds = wholeNumber(args, 'retry-seconds', { min: 0, max: 86_400 }) ?? 30;
  return createClient({
    url,
    key,
    retryForMs: seconds * 1000,
    onRetry: ({ error, delayMs }) => {
      tell(`stele: ${error.code}: ${error.message} Trying again in ${(delayMs / 1000).toFixed(1)} s.`);
    },
  });
}
