/**
 * The `Accept` header (RFC 9110, section 12.5.1): which of the media types on offer the client likes best.
 *
 * The most specific range that names a type decides its weight; of equal weights the one offered first wins.
 */
interface MediaRange {
  readonly type: string;
  readonly subtype: string;
  readonly weight: number;
}

/** The preferred one of `offered` (lower case, without parameters), or undefined when the header excludes all. */
export function preferred(accept: string | undefined, offered: readonly string[]): string | undefined {
  if (accept === undefined || accept === '' || accept === '*/*') return offered[0];
  const ranges = parseAccept(accept);
  if (ranges.length === 0) return offered[0];
  let best: string | undefined;
  let bestWeight = 0;
  for (const candidate of offered) {
    const weight = weightOf(candidate, ranges);
    if (weight > bestWeight) {
      best = candidate;
      bestWeight = weight;
    }
  }
  return best;
}

/** The one of `offered` that stands in the header by its own name and is liked best, if any does. */
export function named(accept: string | undefined, offered: readonly string[]): string | undefined {
  if (accept === undefined) return undefined;
  const ranges = parseAccept(accept).filter(
    ({ type, subtype, weight }) => weight > 0 && offered.includes(`${type}/${subtype}`),
  );
  const [best] = ranges.sort((a, b) => b.weight - a.weight);
  return best === undefined ? undefined : `${best.type}/${best.subtype}`;
}

function parseAccept(accept: string): MediaRange[] {
  const ranges: MediaRange[] = [];
  for (const part of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim());
    const [type = '', subtype = ''] = range.split('/');
    if (type === '' || subtype === '') continue;
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    ranges.push({ type, subtype, weight: weight >= 0 && weight <= 1 ? weight : 1 });
  }
  return ranges;
}

function weightOf(candidate: string, ranges: readonly MediaRange[]): number {
  const [type = '', subtype = ''] = candidate.split('/');
  let weight = 0;
  let specificity = -1;
  for (const range of ranges) {
    const matchesType = range.type === type;
    const level = matchesType && range.subtype === subtype ? 2 : matchesType && range.subtype === '*' ? 1 : 0;
    const matches = level > 0 || (range.type === '*' && range.subtype === '*');
    if (matches && level > specificity) {
      weight = range.weight;
      specificity = level;
    }
  }
  return weight;
}
