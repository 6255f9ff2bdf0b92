import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { TSchema } from '@sinclair/typebox';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { didYouMean } from './spelling.ts';

/** A value that somebody gave, with where it stands and how much it weighs: file 1, environment 2, flag 3. */
export interface Found {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
  readonly rank: number;
}

/** What a source holds: values, and what is wrong with it as a source. */
export type Finding = Found | { readonly fault: string };

type SettingSchemas = ReadonlyMap<string, TSchema>;

/** Settings that are never shown, and can be given as a file in the environment: `STELE_STORE_FILE`. */
export const SECRETS: readonly string[] = ['store', 'postgresql.password'];

/** Variables that are read, but are not settings of the service. */
const OTHER_VARIABLES = ['STELE_CONFIG', 'STELE_URL', 'STELE_KEY', 'STELE_KEY_FILE'];

const DEFAULT_FILE = 'stele.yaml';

/** `cache.ttlMs` → `STELE_CACHE_TTL_MS`. */
export function variableName(key: string): string {
  return `STELE_${words(key).join('_').toUpperCase()}`;
}

/** `cache.ttlMs` → `cache-ttl-ms`. */
export function flagName(key: string): string {
  return words(key).join('-');
}

function words(key: string): string[] {
  return key.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`).split('.');
}

/** Passwords have no flag: everybody on the machine can list the arguments of a process. */
export function hasFlag(key: string): boolean {
  return key !== 'postgresql.password';
}

export function readFlags(
  argv: readonly string[],
  settings: SettingSchemas,
): { findings: Finding[]; file?: string } {
  const names = new Map<string, string>();
  for (const key of settings.keys()) if (hasFlag(key)) names.set(flagName(key), key);
  const options: Record<string, { type: 'string' | 'boolean' }> = { config: { type: 'string' } };
  for (const [flag, key] of names) {
    options[flag] = { type: settings.get(key)?.['type'] === 'boolean' ? 'boolean' : 'string' };
  }
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const findings: Finding[] = [];
  let file: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') findings.push({ fault: `${token.value}: is not expected here.` });
    if (token.kind !== 'option') continue;
    const key = names.get(token.name);
    const source = `flag ${token.rawName}`;
    const isSwitch = options[token.name]?.type === 'boolean';
    if (token.name === 'config' && token.value !== undefined) file = token.value;
    else if (key === undefined && token.name !== 'config') {
      const known = [...names.keys(), 'config'].map((name) => `--${name}`);
      findings.push({ fault: `${token.rawName}: is not a flag.${didYouMean(token.rawName, known)}` });
    } else if (key === undefined || (token.value === undefined && !isSwitch)) {
      findings.push({ fault: `${token.rawName}: needs a value.` });
    } else {
      findings.push({ key, value: fromText(token.value ?? 'true', settings.get(key)), source, rank: 3 });
    }
  }
  return file === undefined ? { findings } : { findings, file };
}

export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  settings: SettingSchemas,
): Finding[] {
  const names = new Map<string, { key: string; isFile: boolean }>();
  for (const key of settings.keys()) {
    names.set(variableName(key), { key, isFile: false });
    if (SECRETS.includes(key)) names.set(`${variableName(key)}_FILE`, { key, isFile: true });
  }
  const findings: Finding[] = [];
  const seen = new Map<string, string>();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('STELE_') || text === undefined || OTHER_VARIABLES.includes(name)) continue;
    // For whoever tests the service, and may start it from the same shell.
    if (name.startsWith('STELE_TEST_')) continue;
    const known = names.get(name);
    if (known === undefined || /^tcp:\/\//.test(text)) {
      findings.push({ fault: strangeVariable(name, text, [...names.keys(), ...OTHER_VARIABLES]) });
      continue;
    }
    const twin = seen.get(known.key);
    seen.set(known.key, name);
    if (twin !== undefined) findings.push({ fault: `${twin} and ${name}: both are set. Keep one.` });
    else findings.push(fromVariable(name, text, known, settings));
  }
  return findings;
}

function fromVariable(
  name: string,
  text: string,
  { key, isFile }: { key: string; isFile: boolean },
  settings: SettingSchemas,
): Finding {
  const source = `environment ${name}`;
  if (!isFile) return { key, value: fromText(text, settings.get(key)), source, rank: 2 };
  try {
    const content = readFileSync(text, 'utf8').replace(/\r?\n$/, '');
    return { key, value: fromText(content, settings.get(key)), source, rank: 2 };
  } catch (error) {
    return { fault: `${name} = ${JSON.stringify(text)}: cannot be read (${codeOf(error)}).` };
  }
}

/** Kubernetes describes every Service to every container in variables, and one of them may be called `stele`. */
function strangeVariable(name: string, text: string, known: readonly string[]): string {
  if (/^STELE_(SERVICE_|PORT)/.test(name) && (/^tcp:/.test(text) || name !== 'STELE_PORT')) {
    return `environment ${name}: comes from a Kubernetes Service named stele. Set enableServiceLinks: false for the pod.`;
  }
  return `environment ${name}: is not a setting.${didYouMean(name, known)}`;
}

/** The named file, or `stele.yaml` where there is one. */
export function readFile(named: string | undefined, cwd: string): Finding[] {
  const file = path.resolve(cwd, named ?? DEFAULT_FILE);
  if (named === undefined && !existsSync(file)) return [];
  const label = named ?? DEFAULT_FILE;
  try {
    return readEntries(readFileSync(file, 'utf8')).map((entry) => ({
      key: entry.key,
      value: entry.value,
      source: `${label}:${entry.line}`,
      rank: 1,
    }));
  } catch (error) {
    const code = codeOf(error);
    const problem = code === undefined ? (error as Error).message : `cannot be read (${code})`;
    return [{ fault: `${label}: ${problem}.` }];
  }
}

/** The values of a file of YAML 1.2, of which JSON is a subset, with the line of each. */
function readEntries(text: string): { key: string; value: unknown; line: number }[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) throw new Error(error.message.split('\n')[0]?.replace(/[:.]$/, ''));
  if (document.contents === null) return [];
  if (!isMap(document.contents)) throw new Error('has to be a list of keys, each with a value');
  return entriesOf(document.contents, '', lines);
}

function entriesOf(
  map: YAMLMap,
  prefix: string,
  lines: LineCounter,
): { key: string; value: unknown; line: number }[] {
  return map.items.flatMap(({ key: node, value }) => {
    const key = prefix + String(isScalar(node) ? node.value : node);
    if (isMap(value)) return entriesOf(value, `${key}.`, lines);
    const line = lines.linePos(isScalar(node) ? (node.range?.[0] ?? 0) : 0).line;
    if (isSeq(value)) return [{ key, value: value.toJSON(), line }];
    return [{ key, value: isScalar(value) ? value.value : null, line }];
  });
}

/** Flags and variables are text; what is not a number or a switch stays so and is refused by the schema. */
function fromText(text: string, schema: TSchema | undefined): unknown {
  if (schema?.['type'] === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (schema?.['type'] === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (schema?.['type'] === 'array') {
    // A list of names can be written as people write one.
    if ('anyOf' in schema['items'] && !text.startsWith('[')) {
      return text
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '');
    }
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  return text;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
