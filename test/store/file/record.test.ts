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
