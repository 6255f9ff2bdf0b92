import { StoreError } from '../errors.ts';

/**
 * Timestamps travel through Stele as canonical text: RFC 3339 in UTC with three fractional digits, or six when
 * the microseconds are not zero. Text keeps six digits exact over the years 0001 to 9999, where a double would
 * not, and it is what a reader is sent anyway.
 */
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?([Zz]|[+-]\d\d:\d\d)$/;
/** Canonical as it is, on a day that every month has: most of what is sent, and known by its looks. */
const CANONICAL =
  /^(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3])(?::[0-5]\d){2}\.\d{3}Z$/;
const YEAR_1_MS = Date.UTC(2000, 0, 1) - 63_082_281_600_000;
const YEAR_9999_END_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Says what is wrong with a timestamp, or gives it in canonical form. Leap seconds (`:60`) are refused. */
export function canonicalTimestamp(
  text: string,
): { ok: true; value: string } | { ok: false; reason: string } {
  if (CANONICAL.test(text)) return { ok: true, value: text };
  const match = RFC3339.exec(text);
  if (match === null) {
    return {
      ok: false,
      reason: /[.]\d{7,}/.test(text)
        ? 'has more than six fractional digits'
        : 'is not an RFC 3339 timestamp with an offset, such as 2026-11-21T09:30:00.123Z',
    };
  }
  const [, year, month, day, hour, minute, second, fraction = '', offset = 'Z'] = match;
  const digits = fraction.padEnd(6, '0');
  const local = Date.UTC(2000, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(local);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const valid =
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60;
  if (!valid) return { ok: false, reason: 'names a day or a time of day that does not exist' };
  let ms = date.getTime() + Number(digits.slice(0, 3));
  if (offset.length === 6) {
    const hours = Number(offset.slice(1, 3));
    const minutes = Number(offset.slice(4, 6));
    if (hours > 23 || minutes > 59) return { ok: false, reason: 'has an offset that does not exist' };
    ms -= (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
  }
  if (ms < YEAR_1_MS || ms > YEAR_9999_END_MS) {
    return { ok: false, reason: 'lies outside of the years 0001 to 9999 in UTC' };
  }
  return { ok: true, value: formatTimestamp(ms, Number(digits.slice(3))) };
}

/** Canonical text of a point in time: milliseconds since 1970 and 0 to 999 microseconds on top. */
export function formatTimestamp(ms: number, micros = 0): string {
  const text = new Date(ms).toISOString();
  return micros === 0 ? text : `${text.slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

/** Orders two canonical timestamps: negative, zero or positive, as `Array.prototype.sort` wants it. */
export function compareTimestamps(a: string, b: string): number {
  const left = a.slice(0, -1);
  const right = b.slice(0, -1);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Microseconds since 1970 of a canonical timestamp. A bigint: the year 9999 does not fit into a double. */
export function timestampMicros(canonical: string): bigint {
  const ms = Date.parse(`${canonical.slice(0, 23)}Z`);
  const micros = canonical.length === 27 ? Number(canonical.slice(23, 26)) : 0;
  return BigInt(ms) * 1000n + BigInt(micros);
}

/** Parses a timestamp of a query parameter or body member, or throws `VALIDATION_FAILED` at `pointer`. */
export function requireTimestamp(text: string, pointer: string): string {
  const result = canonicalTimestamp(text);
  if (result.ok) return result.value;
  throw new StoreError('VALIDATION_FAILED', `A timestamp ${result.reason}.`, {
    faults: [{ pointer, detail: result.reason }],
  });
}
