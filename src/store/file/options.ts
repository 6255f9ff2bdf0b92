import { StoreError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';

/** What a `file:` URL says beside the folder: `file:./data?maxSize=16777216&compression=none`. */
export interface FileOptions {
  readonly folder: string;
  /** Bytes after which a segment is sealed and another begins. */
  readonly maxSize: number;
  /** Segments that keep their events, with the one that is written to; absent: all of them. */
  readonly maxFiles?: number;
  readonly compression: 'gzip' | 'none';
  /** Takes no writes: for an archive or a backup that is only looked into. */
  readonly readOnly: boolean;
  /** Bytes for the newest part of the index, and for pages and blocks of the rest of the log. */
  readonly maxMemorySize: number;
  /** Whether there is an index; without one events are found by going through the log. */
  readonly indexing: boolean;
}

const INTEGERS = {
  maxSize: {
    initial: LIMITS.segmentBytesDefault,
    min: LIMITS.segmentBytesMin,
    max: LIMITS.segmentBytesMax,
  },
  maxMemorySize: {
    initial: LIMITS.indexMemoryBytesDefault,
    min: LIMITS.indexMemoryBytesMin,
    max: LIMITS.indexMemoryBytesMax,
  },
} as const;
/** The first of each is what it is when nothing is said. */
const CHOICES = {
  compression: ['gzip', 'none'],
  readOnly: ['false', 'true'],
  indexing: ['true', 'false'],
} as const;

/** @throws StoreError VALIDATION_FAILED with the parameter and its value. */
export function parseFileUrl(text: string): FileOptions {
  const [where = '', query = ''] = text.slice('file:'.length).split(/\?(.*)/s);
  // `file:///var/lib/stele` is the same folder as `file:/var/lib/stele`.
  const folder = decodeURIComponent(where.replace(/^\/\/(?=\/)/, ''));
  if (folder === '' || folder.startsWith('//')) {
    throw refusal('A file: URL needs a folder on this machine, such as file:./data.');
  }
  const parameters = new URLSearchParams(query);
  const known = [...Object.keys(INTEGERS), 'maxFiles', ...Object.keys(CHOICES)];
  for (const name of parameters.keys()) {
    if (known.includes(name)) continue;
    throw refusal(`A file: URL has no parameter ${name}. It has ${known.join(', ')}.`);
  }
  const integer = (name: keyof typeof INTEGERS): number => {
    const value = parameters.get(name);
    const { initial, min, max } = INTEGERS[name];
    if (value === null) return initial;
    const parsed = Number(value);
    if (!/^\d+$/.test(value) || parsed < min || parsed > max) {
      throw refusal(`${name}=${value} has to be a whole number of bytes from ${min} to ${max}.`);
    }
    return parsed;
  };
  const choice = <N extends keyof typeof CHOICES>(name: N): (typeof CHOICES)[N][number] => {
    const value = parameters.get(name) ?? CHOICES[name][0];
    const found = CHOICES[name].find((one) => one === value);
    if (found === undefined) throw refusal(`${name}=${value} has to be one of ${CHOICES[name].join(', ')}.`);
    return found;
  };
  const maxSize = integer('maxSize');
  const maxFiles = maxFilesOf(parameters.get('maxFiles'));
  if (maxFiles.maxFiles !== undefined && maxSize < LIMITS.segmentBytesKeptMin) {
    throw refusal(`maxFiles needs a maxSize of at least ${LIMITS.segmentBytesKeptMin}.`);
  }
  return {
    folder,
    maxSize,
    ...maxFiles,
    compression: choice('compression'),
    readOnly: choice('readOnly') === 'true',
    maxMemorySize: integer('maxMemorySize'),
    indexing: choice('indexing') === 'true',
  };
}

function maxFilesOf(value: string | null): { maxFiles?: number } {
  if (value === null) return {};
  const maxFiles = Number(value);
  if (!/^\d+$/.test(value) || maxFiles < LIMITS.segmentsKeptMin || maxFiles > LIMITS.segmentsKeptMax) {
    const { segmentsKeptMin, segmentsKeptMax } = LIMITS;
    throw refusal(
      `maxFiles=${value} has to be a whole number from ${segmentsKeptMin} to ${segmentsKeptMax}.`,
    );
  }
  return { maxFiles };
}

/** What becomes of `maxMemorySize`. */
export interface MemoryShares {
  /** The newest part of the index. */
  readonly indexBytes: number;
  /** Pages of the rest of it. */
  readonly cacheBytes: number;
  /** The text that was written last, and inflated blocks of older segments. */
  readonly filesBytes: number;
}

export function sharesOf(maxMemorySize: number): MemoryShares {
  // An eighth is what the thread that writes the index needs of its own.
  const eighth = maxMemorySize / 8;
  return { indexBytes: 3 * eighth, cacheBytes: 2 * eighth, filesBytes: 2 * eighth };
}

function refusal(detail: string): StoreError {
  return new StoreError('VALIDATION_FAILED', detail);
}
