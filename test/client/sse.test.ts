import { deepStrictEqual } from 'node:assert/strict';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import t from 'tap';
import { createSseParser, type SseFrame } from '../../src/client/sse.ts';

/** What a maintained parser makes of the same pieces. */
function expected(pieces: readonly string[]): SseFrame[] {
  const frames: SseFrame[] = [];
  let lastId = '';
  const parser = createParser({
    onEvent: ({ event, id, data }) => {
      lastId = id ?? lastId;
      frames.push({ event: event ?? 'message', id: lastId, data });
    },
  });
  for (const piece of pieces) parser.feed(piece);
  return frames;
}

function parsed(pieces: readonly string[]): SseFrame[] {
  const parser = createSseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

/** Cuts a text at random places. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, index) => text.slice(start, at[index] ?? text.length));
}

t.test('a random stream, cut at random places, means what a maintained parser says it means', async () => {
  // Every frame has its own id and data: where one is missing, the two parsers keep different accounts of the
  // last id, which is the subject of the next test.
  const end = fc.constantFrom('\n', '\r\n');
  const value = fc.string({ maxLength: 12 }).map((text) => text.replace(/[\r\n\0]/g, '·'));
  const frame = fc.record({
    id: fc.nat(),
    data: fc.array(value, { minLength: 1, maxLength: 3 }),
    note: value,
  });
  const streams = fc.tuple(
    fc.array(fc.tuple(frame, fc.boolean(), end)),
    fc.array(fc.nat(), { maxLength: 20 }),
  );
  fc.assert(
    fc.property(streams, ([frames, places]) => {
      const text = frames
        .map(([{ id, data, note }, named, newline]) =>
          [
            `: ${note}`,
            ...(named ? ['event: caught-up'] : []),
            `id: ${id}`,
            ...data.map((line) => `data: ${line}`),
            '',
            '',
          ].join(newline),
        )
        .join('');
      const pieces = cut(text, places);
      deepStrictEqual(parsed(pieces), expected(pieces));
    }),
    { numRuns: 500 },
  );
});

t.test('the fine print of the specification', async (t) => {
  t.strictSame(
    parsed(['id: 7\n\ndata: x\n\n']),
    [{ event: 'message', id: '7', data: 'x' }],
    'an id alone counts',
  );
  t.strictSame(
    parsed(['event: a\n\ndata: x\n\n']),
    [{ event: 'message', id: '', data: 'x' }],
    'a name alone not',
  );
  t.strictSame(
    parsed(['data\n\n']),
    [{ event: 'message', id: '', data: '' }],
    'a field without a colon is empty',
  );
  t.strictSame(parsed(['data:  x\n\n']), [{ event: 'message', id: '', data: ' x' }], 'one blank is removed');
  t.strictSame(parsed(['data: a\r', '\n\r', '\ndata: b\r\r']).length, 2, 'a line end may be cut in two');
  t.strictSame(parsed(['id: 1\0\ndata: x\n\n'])[0]?.id, '', 'an id with NUL is ignored');
  t.strictSame(parsed(['data: never ended']), [], 'what is not ended by a blank line is no frame');
  const parser = createSseParser();
  parser.push('retry: 250\nretry: soon\n');
  t.equal(parser.retryMs, 250, 'retry takes digits alone');
});
