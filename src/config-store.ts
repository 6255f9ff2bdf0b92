import { type Found, SECRETS } from './config-sources.ts';
import { StoreError } from './errors.ts';
import { didYouMean } from './spelling.ts';
import { parseFileUrl } from './store/file/options.ts';
import { parsePostgresUrl } from './store/postgres/options.ts';

type Settings = ReadonlyMap<string, Found>;

/** The URL of the store, from `store` or from `backend` and its settings, whichever was said with more weight. */
export function chooseStore(chosen: Settings, get: (key: string) => Found, faults: string[]): Found {
  const store = get('store');
  const backend = backendOf(chosen, store);
  const password = chosen.get('postgresql.password');
  for (const { key, source } of chosen.values()) {
    const name = key.slice(0, key.indexOf('.'));
    const isUsed = backend?.value === name || key === password?.key;
    if ((name !== 'file' && name !== 'postgresql') || isUsed) continue;
    faults.push(`${key} (${source}): has no effect without backend: ${name}. Add it, or use store.`);
  }
  if (backend !== undefined && backend.rank === store.rank) {
    faults.push(
      `store and backend (${store.source}, ${backend.source}): both say where the events are. Keep one.`,
    );
  }
  if (backend === undefined || backend.rank <= store.rank) {
    const problem = storeProblem(String(store.value));
    if (problem !== undefined) faults.push(`${shown(store)} (${store.source}): ${problem}`);
    // A password that belongs to an overridden backend is overridden with it.
    const isTheirs = backend !== undefined && (password?.rank ?? 0) < store.rank;
    if (problem !== undefined || password === undefined || isTheirs) return store;
    return withPassword(store, password, faults);
  }
  const value = backend.value === 'file' ? fileUrl(chosen) : postgresUrl(chosen, backend, faults);
  const found: Found = {
    key: 'store',
    value,
    source: `${backend.source}, backend and ${backend.value}.*`,
    rank: backend.rank,
  };
  // Values that are right one by one need not go together.
  const problem = storeProblem(value);
  if (problem !== undefined) faults.push(`${shown(found)} (${found.source}): ${problem}`);
  return backend.value === 'file' && password !== undefined ? withPassword(found, password, faults) : found;
}

/** The backend that was named. Where nothing says where the events are, the settings of the default one belong to it. */
function backendOf(chosen: Settings, store: Found): Found | undefined {
  const named = chosen.get('backend');
  if (named !== undefined || store.rank > 0) return named;
  const [first] = [...chosen.values()].filter(({ key }) => key.startsWith('file.'));
  return first && { ...first, key: 'backend', value: 'file' };
}

/** The names of the settings and of the parameters of the URL that say the same. */
const FILE_PARAMETERS = {
  'fileRotation.maxSize': 'maxSize',
  'fileRotation.maxFiles': 'maxFiles',
  'fileRotation.compression': 'compression',
  'indexing.enabled': 'indexing',
  'indexing.maxMemorySize': 'maxMemorySize',
} as const;

function fileUrl(chosen: Settings): string {
  const folder = String(chosen.get('file.dataDirectory')?.value ?? './data');
  const parameters = new URLSearchParams();
  for (const [name, parameter] of Object.entries(FILE_PARAMETERS)) {
    const found = chosen.get(`file.${name}`);
    if (found !== undefined) parameters.set(parameter, String(found.value));
  }
  // What would end the folder in a URL, or stand for something else there.
  const where = folder.replace(/^\/+/, '/').replace(/[%?]/g, encodeURIComponent);
  return parameters.size === 0 ? `file:${where}` : `file:${where}?${parameters}`;
}

function postgresUrl(chosen: Settings, backend: Found, faults: string[]): string {
  const part = (name: string) => chosen.get(`postgresql.${name}`)?.value;
  for (const name of ['database', 'username']) {
    if (part(name) === undefined)
      faults.push(`postgresql.${name}: is missing, and backend (${backend.source}) needs it.`);
  }
  const host = String(part('host') ?? '127.0.0.1');
  const url = new URL('postgres://host/');
  // A folder is that of a unix socket, an address with colons one of IPv6.
  if (host.startsWith('/')) url.searchParams.set('host', host);
  else url.hostname = host.includes(':') ? `[${host}]` : host;
  url.port = String(part('port') ?? 5432);
  url.pathname = `/${encodeURIComponent(String(part('database')))}`;
  url.username = encodeURIComponent(String(part('username')));
  if (part('password') !== undefined) url.password = encodeURIComponent(String(part('password')));
  if (part('ssl') !== undefined)
    url.searchParams.set('sslmode', part('ssl') === true ? 'verify-full' : 'disable');
  if (part('poolSize') !== undefined) url.searchParams.set('poolSize', String(part('poolSize')));
  return url.href;
}

function withPassword(store: Found, password: Found, faults: string[]): Found {
  const complain = (what: string) => faults.push(`${password.key} (${password.source}): ${what}`);
  if (!/^postgres(ql)?:/.test(String(store.value))) {
    complain(`has no effect on the store ${redactUrl(String(store.value))}. Remove it.`);
    return store;
  }
  const url = new URL(String(store.value));
  if (url.password !== '' || url.searchParams.has('password')) {
    complain(`the URL of the store (${store.source}) has a password as well. Keep one.`);
    return store;
  }
  url.password = encodeURIComponent(String(password.value));
  return { ...store, value: url.href };
}

function storeProblem(url: string): string | undefined {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(url)?.[1];
  const wanted = 'It has to be file:<folder>, postgres://…, embedded:<folder> or memory:.';
  switch (scheme) {
    case 'memory':
      return url === 'memory:' ? undefined : 'memory: takes nothing behind the colon.';
    case 'embedded':
      if (!/^embedded:[^?]/.test(url)) return 'embedded: needs a folder, such as embedded:./pg.';
      // Its parameters are those of a database elsewhere.
      return refusalOf(() => parsePostgresUrl(`postgres://embedded/${url.replace(/^[^?]*/, '')}`));
    case 'postgres':
    case 'postgresql':
      return URL.canParse(url)
        ? refusalOf(() => parsePostgresUrl(url))
        : 'is not a URL. Write characters such as @ / # in the password as %40 %2F %23, or give it in STELE_POSTGRESQL_PASSWORD.';
    case 'file':
      if (!/^file:[^?]/.test(url)) return 'file: needs a folder, such as file:./data.';
      return refusalOf(() => parseFileUrl(url));
    case 'kurrentdb':
    case 'esdb':
      return `the store ${scheme}: is not available in this version. ${wanted}`;
    case undefined:
      return `has no scheme. ${wanted}`;
    default:
      return `the scheme ${scheme}: is not known. ${wanted}${didYouMean(scheme, ['file', 'postgres', 'embedded', 'memory'])}`;
  }
}

/** Why the parser of a backend refuses its URL, in its words. */
function refusalOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    if (error instanceof URIError) return 'has a % that encodes nothing. Write it as %25.';
    throw error;
  }
}

/** A URL without its password, for people. */
export function redactUrl(text: string): string {
  if (!URL.canParse(text) || !/^postgres(ql)?:/.test(text)) {
    // Whatever this is, everything between the first colon of a user and the last @ may be a password.
    return text.replace(/^([^:]*:\/\/[^:@/]*):.*@/, '$1:***@');
  }
  const url = new URL(text);
  if (url.password !== '') url.password = '***';
  if (url.searchParams.has('password')) url.searchParams.set('password', '***');
  return url.href;
}

export function shown({ key, value }: Found): string {
  if (key === 'store') return `store = ${JSON.stringify(redactUrl(String(value)))}`;
  return SECRETS.includes(key) ? `${key} = (secret)` : `${key} = ${JSON.stringify(value)}`;
}
