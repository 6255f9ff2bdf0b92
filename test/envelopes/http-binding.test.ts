import { readFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { exchange, type HttpService, startHttpService } from '../helpers/http-service.ts';
import { readAs } from './stage.ts';

/** Runs http-binding.feature: a small part of Gherkin, enough for outlines, texts and tables. */
interface Step {
  readonly words: string;
  text: string;
  readonly rows: string[][];
}
interface Scenario {
  readonly name: string;
  readonly steps: Step[];
  readonly examples: string[][];
}

function parse(feature: string): Scenario[] {
  const scenarios: Scenario[] = [];
  let rows: string[][] | undefined;
  const lines = feature.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at]?.trim() ?? '';
    const scenario = scenarios.at(-1);
    const name = /^Scenario(?: Outline)?: (.*)$/.exec(line)?.[1];
    const words = /^(?:Given|Then|And) (.*)$/.exec(line)?.[1];
    if (name !== undefined) scenarios.push({ name, steps: [], examples: [] });
    else if (words !== undefined) {
      const step: Step = { words, text: '', rows: [] };
      scenario?.steps.push(step);
      rows = step.rows;
    } else if (line === 'Examples:') rows = scenario?.examples;
    else if (line.startsWith('|')) rows?.push(cells(line));
    else if (line === '"""') {
      const indent = (lines[at] ?? '').indexOf('"""');
      const end = lines.findIndex((other, index) => index > at && other.trim() === '"""');
      const text = lines.slice(at + 1, end).map((other) => other.slice(indent));
      const step = scenario?.steps.at(-1);
      if (step !== undefined) step.text = text.join('\n');
      at = end;
    }
  }
  return scenarios;
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** An outline as the scenarios that it stands for. */
function concrete({ name, steps, examples: [names, ...values] }: Scenario): Omit<Scenario, 'examples'>[] {
  if (names === undefined) return [{ name, steps }];
  return values.map((row) => {
    const fill = (text: string) =>
      names.reduce((filled, one, at) => filled.replaceAll(`<${one}>`, () => row[at] ?? ''), text);
    return {
      name: fill(name),
      steps: steps.map(({ words, text, rows }) => ({
        words: fill(words),
        text: fill(text),
        rows: rows.map((cell) => cell.map(fill)),
      })),
    };
  });
}

/** The request as it goes over the wire, with the length of its body. */
function onTheWire(text: string): Buffer {
  const [head = '', ...rest] = text.trimEnd().split('\n\n');
  const body = Buffer.from(rest.join('\n\n'));
  const lines = head
    .split('\n')
    .flatMap((line) => (line.startsWith('ce-') ? line.split(/;(?=ce-)/) : [line]));
  const length = /content-length/i.test(head) ? [] : [`Content-Length: ${body.length}`];
  return Buffer.concat([
    Buffer.from(`${[...lines, ...length, 'Connection: close'].join('\r\n')}\r\n\r\n`),
    body,
  ]);
}

async function run(t: Test, stele: HttpService, steps: readonly Step[]): Promise<void> {
  let answer = '';
  const event = async () => {
    t.match(answer, /^HTTP\/1.1 201 /);
    const id = /"id":"([^"]+)"/.exec(answer)?.[1] ?? '';
    return await readAs(stele, 'application/cloudevents+json', id);
  };
  for (const { words, text, rows } of steps) {
    if (words === 'the request') answer = await exchange(stele.port, onTheWire(text));
    else if (words === 'the attributes are') {
      const found = await event();
      for (const [name = '', value = ''] of rows) {
        const wanted = name === 'time' ? new Date(value).toISOString() : value;
        t.equal(found[name], wanted, name);
      }
    } else if (words === 'the data are the JSON') t.same((await event())['data'], JSON.parse(text));
    else if (words === 'there are no data') t.notOk('data' in (await event()));
    else {
      const [, pointer = ''] = /^it is refused at "(.*)"$/.exec(words) ?? [];
      t.match(answer, /^HTTP\/1.1 400 /);
      t.match(answer, `"pointer":"${pointer}"`, words);
    }
  }
}

t.test('the HTTP binding of CloudEvents', async (t) => {
  const stele = await startHttpService(t);
  const feature = await readFile(new URL('http-binding.feature', import.meta.url), 'utf8');
  const scenarios = parse(feature).flatMap(concrete);
  t.ok(scenarios.length > 20, `${scenarios.length} scenarios`);
  for (const { name, steps } of scenarios) await t.test(name, async (t) => run(t, stele, steps));
});
