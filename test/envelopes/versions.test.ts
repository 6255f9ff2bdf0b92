import t from 'tap';
import { eventually } from '../feed/stage.ts';
import { media } from '../helpers/backends.ts';
import { bodyOf, type HttpService, openSocket, startHttpService } from '../helpers/http-service.ts';
import { append, linesOf, pageOf, post, refusal } from '../routes/stage.ts';
import type { Json } from './shapes.ts';
import { ONE, ok, SHAPES, sent } from './stage.ts';

/** A type of three versions: the name becomes the title, then there is a number, then it moves into the title. */
async function register(stele: HttpService, type = 'A'): Promise<void> {
  const put = { ...post({ compatibility: 'none', enforcement: 'off' }), method: 'PUT' };
  t.equal((await stele.call(`/v1/types/${type}`, put)).status, 201);
  for (const upcast of [
    [],
    [{ op: 'rename', path: '/name', to: 'title' }],
    [
      { op: 'default', path: '/n', value: 0 },
      { op: 'copy', from: '/n', path: '/title/n' },
    ],
  ]) {
    const answer = await stele.call(`/v1/types/${type}/versions`, post({ schema: {}, upcast }));
    if (answer.status !== 201) throw new Error(answer.text);
  }
}

const shown = ({ version, data, problem }: Json) => ({
  version,
  data,
  ...(problem === undefined ? {} : { problem }),
});

t.test('events are shown in the version that is asked for', async (t) => {
  await media(t, async (t, kind) => {
    const stele = await startHttpService(t, { store: await kind.url(t) });
    await register(stele);
    const [old, newer, broken, other] = await append(stele, [
      { type: 'A', data: { name: { de: 'x' } } },
      { type: 'A', version: 2, data: { title: {}, n: 5 } },
      { type: 'A', data: { name: 'a text' } },
      { type: 'B', data: { name: 'b' } },
    ]);
    const wanted = {
      latest: [
        { version: 3, data: { title: { de: 'x', n: 0 }, n: 0 } },
        { version: 3, data: { title: { n: 5 }, n: 5 } },
        {
          version: 1,
          data: { name: 'a text' },
          problem: { title: 'The event cannot be shown in version 3', detail: String },
        },
        { version: 1, data: { name: 'b' } },
      ],
      2: [
        { version: 2, data: { title: { de: 'x' } } },
        { version: 2, data: { title: {}, n: 5 } },
        { version: 2, data: { title: 'a text' } },
        { version: 1, data: { name: 'b' } },
      ],
      1: [old, newer, broken, other].map((event) => shown(event as unknown as Json)),
    };
    for (const [version, events] of Object.entries(wanted)) {
      const page = pageOf(await stele.call(`/v1/events?version=${version}`)).events;
      t.match(
        page.map((event) => shown(event as unknown as Json)),
        events,
        `as ${version}`,
      );
      const lines = linesOf(
        await stele.call(`/v1/events?version=${version}`, { headers: { accept: 'application/x-ndjson' } }),
      );
      t.same(lines, page);
      t.same(pageOf(await stele.call(`/v1/events/query?version=${version}`, post({}))).events, page);
      const { text } = ok(await stele.call(`/v1/events/stream?after=0&follow=false&version=${version}`));
      t.same(
        [...text.matchAll(/^data: (\{"id".*)$/gm)].map(([, line]) => JSON.parse(line ?? '')),
        page,
      );
      for (const event of page) {
        t.same(bodyOf(await stele.call(`/v1/events/${event.id}?version=${version}`)), event);
      }
    }
    t.same(
      pageOf(await stele.call('/v1/events?version=99')).events,
      pageOf(await stele.call('/v1/events?version=latest')).events,
    );
    t.same(
      pageOf(await stele.call('/v1/events')).events,
      [old, newer, broken, other],
      'what is stored stays',
    );
    for (const wrong of ['0', '-1', 'first', '1.5', '']) {
      t.same(refusal(await stele.call(`/v1/events?version=${wrong}`)).pointers, ['?version'], wrong);
    }
  });
});

t.test('in every shape, with the problem in it', async (t) => {
  const stele = await startHttpService(t);
  await register(stele);
  const [good, bad] = await append(stele, [
    { type: 'A', data: { name: {} } },
    { type: 'A', data: { name: 'a text' } },
  ]);
  for (const shape of SHAPES) {
    const read = async (id: string | undefined) =>
      bodyOf(ok(await stele.call(`/v1/events/${id}?version=latest&envelope=${shape}`)));
    const event = await read(good?.id);
    t.same(event['data'] ?? event['payload'], { title: { n: 0 }, n: 0 }, shape);
    t.match(
      event,
      {
        cloudevents: { steleversion: '3' },
        stream: { version: '3.0' },
        workflow: { version: '3.0' },
        actor: { schema_version: '3.0' },
      }[shape],
    );
    const problem = await read(bad?.id);
    t.match(
      problem,
      shape === 'cloudevents'
        ? { steleproblem: String }
        : { stele: { problem: { title: String, detail: String } } },
    );
    const elsewhere = await startHttpService(t);
    const id = await sent(elsewhere, ONE[shape], problem);
    const passedOn = bodyOf(ok(await elsewhere.call(`/v1/events/${id}`)));
    t.match(passedOn, { data: { name: 'a text' } }, 'it can be sent on as it was read');
    t.notMatch(JSON.stringify(passedOn), /problem/, 'and the problem is none of it');
  }
  const binary = await stele.call(`/v1/events/${good?.id}?version=latest&envelope=cloudevents-binary`);
  t.match(ok(binary), { headers: { 'ce-steleversion': '3', 'content-type': 'application/json' } });
  t.same(JSON.parse(binary.text), { title: { n: 0 }, n: 0 });
});

t.test('a version that is registered while a stream runs counts from then on', async (t) => {
  const stele = await startHttpService(t);
  await append(stele, [{ type: 'A', data: { name: {} } }]);
  const socket = await openSocket(stele.port);
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  socket.write('GET /v1/events/stream?after=0&version=latest HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => text.includes('caught-up'), 'the first is there');
  t.match(text, '"version":1,"tags":{},"metadata":{},"data":{"name":{}}');
  await register(stele);
  await append(stele, [{ type: 'A', data: { name: {} } }]);
  await eventually(() => text.includes('"version":3'), 'the second comes as the latest version');
});
