import t from 'tap';
import { checkLine, RecordBuffer, readRecord } from '../../../src/store/file/record.ts';

/** A text is written with the length that it has when it is ASCII, and again when more bytes come out of it. */

const CHARACTERS = ['x', 'ä', '€', '😀'];
/** The first fits into the buffer; those behind it make one that is no larger than it has to be. */
const LENGTHS = [0, 1, 300, 65_400, 65_535, 300_000, 300_001, 300_002, 300_003];

t.test('a record says how long it is and comes back, whatever characters its text has', async (t) => {
  for (const character of CHARACTERS) {
    for (const length of LENGTHS) {
      const buffer = new RecordBuffer();
      buffer.begin(7);
      const body = JSON.stringify(character.repeat(length));
      const document = { collection: 'c', key: 'k', revision: 1, updatedAt: '', body };
      const size = buffer.add({ kind: 'document', document }, { position: 1, isLast: true });
      const bytes = buffer.bytes();
      const what = `${length} of ${character}`;
      t.equal(bytes.length, size, what);
      t.equal(checkLine(bytes, 0, size, 7), buffer.crc, what);
      const line = bytes.toString('utf8', 0, size - 1);
      const content = JSON.stringify(document);
      t.match(line, new RegExp(`^.{20,40}"l":${Buffer.byteLength(content)},`), what);
      const read = readRecord(line);
      t.ok(read.kind === 'document' && read.document.body === body, what);
    }
  }
});

t.test('the numbers in the head of a record are those of the event', async (t) => {
  const edges = [
    1,
    9,
    10,
    11,
    99,
    100,
    101,
    999,
    1000,
    65_535,
    1e9,
    2 ** 31,
    2 ** 32,
    1e15,
    Number.MAX_SAFE_INTEGER,
  ];
  for (const [index, position] of edges.entries()) {
    const buffer = new RecordBuffer();
    buffer.begin(0);
    const sent = index * 4;
    const event = {
      position,
      part: index,
      parts: 1000 - index,
      sent,
      id: '01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11',
      type: 'COUNTED',
      timestamp: '2026-11-21T09:30:00.123Z',
      recordedAt: '2026-11-21T09:30:00.123Z',
      terms: [],
      body: '"version":1,"tags":{},"metadata":{},"data":{}',
      ...(index % 2 === 0 && { added: ['/metadata/größe'] }),
    };
    buffer.add({ kind: 'event', event }, { position, isLast: index % 3 === 0 });
    const line = buffer.bytes().toString('utf8').slice(0, -1);
    t.ok(line.includes(`","n":${position},"l":`), line);
    t.ok(line.includes(`,"o":[${index},${1000 - index},${sent}]`), line);
    t.strictSame(readRecord(line), { kind: 'event', event });
    t.equal(JSON.parse(line).n, position);
  }
});
