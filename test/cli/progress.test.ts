import { PassThrough } from 'node:stream';
import t from 'tap';
import { Progress } from '../../src/cli/progress.ts';

function screen(isTTY: boolean) {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  const terminal = Object.assign(stream, { isTTY, columns: 100, rows: 24 });
  return { stream: terminal as unknown as NodeJS.WriteStream, text: () => text };
}

t.test('a log gets a line every five seconds', async (t) => {
  const { stream, text } = screen(false);
  let ms = 0;
  const progress = new Progress(1000, { stream, now: () => ms });
  for (ms = 100; ms <= 12_000; ms += 100) progress.update(ms / 12, ms);
  progress.stop();
  t.equal(text(), '5000 events, 1000/s, 41%, 7 s left\n10000 events, 1000/s, 83%, 2 s left\n');
});

t.test('what takes minutes is told in minutes', async (t) => {
  const { stream, text } = screen(false);
  let ms = 0;
  const progress = new Progress(1000, { stream, now: () => ms });
  ms = 5000;
  progress.update(50, 20);
  t.equal(text(), '20 events, 4/s, 5%, 1 min 35 s left\n');
});

t.test('without a known size there is no share', async (t) => {
  const { stream, text } = screen(false);
  let ms = 0;
  const progress = new Progress(undefined, { stream, now: () => ms });
  ms = 5000;
  progress.update(10, 20);
  t.equal(text(), '20 events, 4/s\n');
});

t.test('a terminal gets a bar, once the work takes longer than a second', async (t) => {
  const { stream, text } = screen(true);
  let ms = 0;
  const progress = new Progress(1000, { stream, now: () => ms });
  ms = 900;
  progress.update(100, 10);
  t.equal(text(), '');
  ms = 2000;
  progress.update(500, 50);
  progress.stop();
  t.match(text(), /50% \| 50 events \| 25\/s/);
  for (const mode of ['?25l', '?7l'])
    t.notOk(text().includes(`\u001B[${mode}`), 'the terminal stays as it is');
});
