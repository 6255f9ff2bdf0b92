import { domainToASCII } from 'node:url';
import formats from 'ajv-formats/dist/formats.js';

/**
 * The values of `format` that are asserted: those of the standard but `regex`, and those that OpenAPI adds. An unknown one is
 * refused where the schema is registered, since it would check nothing. The expressions of ajv-formats were measured against
 * hostile texts of 64 KiB: all but the one of `url`, which is not of the standard and not here, take at most 200 ns a
 * character. Longer texts have no format.
 */
export const FORMAT_LENGTH_MAX = 65_536;

type FormatCheck = (value: string | number) => boolean;

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const BEYOND_ASCII = /[^\0-\x7f]/gu;

/** What the internationalised formats allow more than the others stands for something that all allow. */
const asUri = (text: string) => text.replace(BEYOND_ASCII, '%C3%A9');
const asLetters = (text: string) => text.replace(BEYOND_ASCII, 'x');

export const FORMATS: ReadonlyMap<string, FormatCheck> = new Map<string, FormatCheck>([
  ['date', ofText('date')],
  ['time', ofText('time')],
  // RFC 3339 has a T between date and time; what is installed takes a blank as well.
  [
    'date-time',
    (value) => typeof value !== 'string' || (!value.includes(' ') && installed('date-time', value)),
  ],
  ['duration', ofText('duration')],
  ['email', ofText('email')],
  ['idn-email', ofText('email', asLetters)],
  ['hostname', ofText('hostname')],
  ['idn-hostname', ofText('hostname', domainToASCII)],
  ['ipv4', ofText('ipv4')],
  ['ipv6', ofText('ipv6')],
  ['uri', ofText('uri')],
  ['uri-reference', ofText('uri-reference')],
  ['uri-template', ofText('uri-template')],
  ['iri', ofText('uri', asUri)],
  ['iri-reference', ofText('uri-reference', asUri)],
  // Without the `urn:uuid:` that what is installed takes as well: it is a URI.
  ['uuid', (value) => typeof value !== 'string' || UUID.test(value)],
  ['json-pointer', ofText('json-pointer')],
  ['relative-json-pointer', ofText('relative-json-pointer')],
  ['byte', ofText('byte')],
  ['binary', () => true],
  ['password', () => true],
  ['int32', (value) => typeof value !== 'number' || (Number.isInteger(value) && (value | 0) === value)],
  ['int64', (value) => typeof value !== 'number' || (Number.isInteger(value) && Math.abs(value) <= 2 ** 63)],
  ['float', () => true],
  ['double', () => true],
]);

function ofText(name: formats.FormatName, made: (text: string) => string = (text) => text): FormatCheck {
  return (value) => typeof value !== 'string' || installed(name, made(value));
}

function installed(name: formats.FormatName, text: string): boolean {
  const format = formats.fullFormats[name];
  if (format instanceof RegExp) return format.test(text);
  if (typeof format === 'function') return format(text) === true;
  if (typeof format !== 'object' || !('validate' in format)) return true;
  const validate: unknown = format.validate;
  if (validate instanceof RegExp) return validate.test(text);
  return typeof validate === 'function' ? validate(text) === true : true;
}
