import { statfs } from 'node:fs/promises';
import { pino } from 'pino';
import { redactUrl } from '../config-store.ts';
import { StoreError } from '../errors.ts';
import { parseFileUrl } from '../store/file/options.ts';
import { auditStore, migrateStore, refuseNoLog } from '../store/open.ts';
import type { Backend } from '../store/store.ts';
import { version } from '../version.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { report } from './failure.ts';
import { isInUse, STORE_HELP, storeUrl, withStore } from './store-access.ts';
import { writeOut } from './terminal.ts';

/** One line of the diagnosis. */
interface Line {
  readonly ok: boolean;
  readonly about: string;
  readonly text: string;
}

const DISK_FREE_SHARE_MIN = 0.1;

export const command: Command = {
  summary: 'explain the state of an installation in words',

  help: () => `Usage: stele doctor [<store>] [--json]

Looks at a store and says what it finds, a line each, beginning with "ok" or "!!": versions, the state of the schema,
whether what is acknowledged is kept, how large and how old the log is, free disk, and why it cannot be read or written.
Exit code 1 when something needs care. A store is opened as by a start of the service: a schema is brought up to date, and
what a process that was killed left in a folder is put right; nothing else changes. A folder that another process has open
is looked at from outside: a file store's files against their checksums and the manifest.

  --json     the lines as one JSON object

${STORE_HELP} Without one it is the store of the configuration.

Examples:
  stele doctor
  stele doctor @/run/secrets/store-url`,

  async run(argv) {
    const args = readArguments(argv, { json: 'switch' }, { positionalsMax: 1 });
    const url = await storeUrl(args.positionals[0]);
    const lines: Line[] = [
      { ok: true, about: 'version', text: `Stele ${version()} on Node ${process.version}.` },
      { ok: true, about: 'store', text: redactUrl(url) },
    ];
    try {
      await refuseNoLog(url);
      lines.push(...(await schemaLines(url)));
      lines.push(...(await withStore(url, storeLines)));
    } catch (error) {
      if (isInUse(error)) lines.push(...(await linesInUse(url)));
      else lines.push(failed(error));
    }
    if (args.has('json')) await writeOut(`${JSON.stringify({ lines })}\n`);
    else for (const { ok, about, text } of lines) await writeOut(`${ok ? 'ok' : '!!'}  ${about}: ${text}\n`);
    return lines.every(({ ok }) => ok) ? EXIT.ok : EXIT.failure;
  },
};

function failed(error: unknown): Line {
  const text = error instanceof StoreError ? report(error).replace(/^stele: /, '') : String(error);
  return { ok: false, about: 'start', text: `The store does not start. ${text.replace(/\n\s*/g, ', ')}` };
}

/** What can be said beside the process that has the store. */
async function linesInUse(url: string): Promise<Line[]> {
  const text =
    'another process has the store open, such as its service: /readyz?verbose says how that one finds it.';
  const use: Line = { ok: true, about: 'in use', text };
  if (!url.startsWith('file:')) return [use];
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const findings = await auditStore(url, { logger });
  const files =
    findings.length === 0
      ? [{ ok: true, about: 'files', text: 'every byte agrees with its checksum and the manifest.' }]
      : findings.map(({ position, what }) => ({
          ok: false,
          about: 'files',
          text: `position ${position}: ${what}`,
        }));
  return [use, ...files, await diskLine(parseFileUrl(url).folder)];
}

async function schemaLines(url: string): Promise<Line[]> {
  const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const state = await migrateStore(url, { logger, apply: false });
  if (state === undefined) return [];
  const { schema, applied, pending } = state;
  const text =
    pending.length === 0
      ? `the schema ${schema} is up to date, with ${applied.length} migrations.`
      : `the schema ${schema} lacked ${pending.join(', ')}; this start applied them.`;
  return [{ ok: true, about: 'schema', text }];
}

async function storeLines(backend: Backend): Promise<Line[]> {
  const { checks } = await backend.health();
  const lines = Object.entries(checks).map(([about, { ok, detail }]) => ({ ok, about, text: `${detail}.` }));
  const { position, oldest } = await backend.head();
  const log =
    position === 0
      ? 'it is empty.'
      : `it ends at position ${position} and begins at ${oldest}${await recordedBetween(backend, oldest, position)}.`;
  lines.push({ ok: true, about: 'log', text: `its id is ${backend.logId}; ${log}` });
  const { bytes = {}, folder } = (await backend.storage?.()) ?? {};
  const total = Object.values(bytes).reduce((sum, size) => sum + size, 0);
  if (total > 0) lines.push({ ok: true, about: 'size', text: `${inWords(total)} with its indexes.` });
  if (folder !== undefined) lines.push(await diskLine(folder));
  return lines;
}

async function diskLine(folder: string): Promise<Line> {
  const { bavail, blocks, bsize } = await statfs(folder);
  const isEnough = bavail / blocks >= DISK_FREE_SHARE_MIN;
  const advice = isEnough ? '' : ' Make room, or appends will be refused soon.';
  return { ok: isEnough, about: 'disk', text: `${inWords(bavail * bsize)} are free.${advice}` };
}

async function recordedBetween(backend: Backend, oldest: number, position: number): Promise<string> {
  const { signal } = new AbortController();
  const times: string[] = [];
  for (const at of [oldest, position]) {
    for await (const block of backend.records({ after: at - 1, upTo: at }, { signal })) {
      times.push(...block.map(({ recordedAt }) => recordedAt));
    }
  }
  const [first, last] = times;
  return last === undefined ? '' : `, recorded from ${first} to ${last}`;
}

function inWords(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = bytes;
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit += 1) size /= 1024;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
