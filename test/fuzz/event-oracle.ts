import { exactJson } from './exact-json.ts';

/**
 * Whether the contract lets an event in, decided from its words and not from the code under test.
 *
 * Undecided is what the contract leaves open, such as the length of metadata.
 */
export type Judgement = 'valid' | 'invalid' | 'undecided';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TYPE = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}$/;
const TAG_KEY = /^[A-Za-z0-9_.-]{1,64}$/;
const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const MEMBERS = ['id', 'type', 'timestamp', 'version', 'tags', 'metadata', 'data'];
const METADATA_TEXTS = [
  'workflowVersion',
  'correlationId',
  'causationId',
  'actorType',
  'actorId',
  'source',
  'sourceType',
  'traceparent',
];

/** Judges the text of one event. */
export function judgeEvent(text: string): Judgement {
  const { faults } = exactJson(text);
  if (faults.size > 0) return 'invalid';
  return judgeMembers(JSON.parse(text));
}

export function judgeMembers(event: unknown): Judgement {
  if (!isObject(event) || Object.keys(event).some((name) => !MEMBERS.includes(name))) return 'invalid';
  const { id, type, timestamp, version, tags, metadata, data } = event;
  const verdicts: Judgement[] = [
    judge(id === undefined || (typeof id === 'string' && UUID_V7.test(id))),
    judge(typeof type === 'string' && TYPE.test(type)),
    timestamp === undefined ? 'valid' : judgeTime(timestamp),
    judge(version === undefined || (Number.isSafeInteger(version) && Number(version) >= 1)),
    tags === undefined ? 'valid' : judgeTags(tags),
    metadata === undefined ? 'valid' : judgeMetadata(metadata),
    judge(isObject(data)),
  ];
  if (verdicts.includes('invalid')) return 'invalid';
  return verdicts.includes('undecided') ? 'undecided' : 'valid';
}

function judgeTags(tags: unknown): Judgement {
  if (!isObject(tags)) return 'invalid';
  let pairs = 0;
  for (const [key, value] of Object.entries(tags)) {
    if (!TAG_KEY.test(key)) return 'invalid';
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (list.length === 0 || new Set(list).size < list.length) return 'invalid';
    for (const one of list) {
      if (typeof one !== 'string' || one === '' || [...one].length > 256) return 'invalid';
    }
    pairs += list.length;
  }
  return judge(pairs <= 64);
}

function judgeMetadata(metadata: unknown): Judgement {
  if (!isObject(metadata)) return 'invalid';
  const { eventSource } = metadata;
  if (eventSource !== undefined && eventSource !== 'system' && eventSource !== 'plugin') return 'invalid';
  if (METADATA_TEXTS.some((name) => metadata[name] !== undefined && typeof metadata[name] !== 'string'))
    return 'invalid';
  // The contract bounds these by an index, without a figure.
  return METADATA_TEXTS.some((name) => [...String(metadata[name] ?? '')].length > 400)
    ? 'undecided'
    : 'valid';
}

function judgeTime(value: unknown): Judgement {
  if (typeof value !== 'string') return 'invalid';
  const match = TIME.exec(value);
  if (match === null) return 'invalid';
  const [, year, month, day, hour, minute, second, , , offsetHour = '0', offsetMinute = '0'] = match;
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1) return 'invalid';
  const leap = Number(year) % 4 === 0 && (Number(year) % 100 !== 0 || Number(year) % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Number(month) - 1] as number;
  if (Number(day) > days || Number(hour) > 23 || Number(minute) > 59) return 'invalid';
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return 'invalid';
  // RFC 3339 knows leap seconds and the years 0000 and 9999; what a database makes of them is left open.
  if (Number(second) === 60 || Number(year) <= 1 || Number(year) === 9999 || /[tz]/.test(value))
    return 'undecided';
  return judge(Number(second) < 60);
}

/** An accepted time as it has to be read: UTC, with three digits or, when the microseconds are not zero, six. */
export function canonicalTime(sent: string): string {
  const fraction = /\.(\d+)/.exec(sent)?.[1] ?? '';
  const whole = new Date(sent.replace(/\.\d+/, '')).toISOString().slice(0, 19);
  const digits = fraction.padEnd(6, '0');
  return `${whole}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}

function judge(holds: boolean): Judgement {
  return holds ? 'valid' : 'invalid';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
