import { LIMITS } from '../../limits.ts';

/**
 * Versions of other systems are texts: `1.0`, `2.3.1`, `v4`. Stele counts versions, so the first number of the text is
 * the version and the text is kept as `metadata.versionText`.
 */
const LEADING_NUMBER = /^v?([1-9]\d*)(?!\d)/;

/** 1 where the text begins with no number from 1 on that can be counted exactly: `0.9`, `draft`. */
export function versionOf(text: string): number {
  const number = Number(LEADING_NUMBER.exec(text)?.[1] ?? 1);
  return Number.isSafeInteger(number) ? number : 1;
}

/** The text of a version that never had one. */
export function versionTextOf(version: number): string {
  return `${version}.0`;
}

export function isVersionText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LIMITS.metadataValueLengthMax;
}
