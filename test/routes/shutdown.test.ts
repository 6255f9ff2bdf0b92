import { once } from 'node:events';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { LIMITS } from '../../src/limits.ts';
import { type Answer, Caller } from '../helpers/caller.ts';
import { bodyOf, openSocket, readUntil, startHttpService } from '../helpers/http-service.ts';
import { database } from '../helpers/postgres.ts';
import { ServiceProcess } from '../helpers/service-process.ts';

const EVENT = '{"type":"A","data":{}}';
const REQUEST = `POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${EVENT.length}\r\n\r\n`;

t.test('a request that was accepted is answered, a new one is refused in order', async (t) => {
  const { app, port, service } = await startHttpService(t);
  const open = () => openSocket(port);
  const [accepted, late, probe, pulse] = [await open(), await open(), await open(), await open()];
  const answers = [accepted, late, probe, pulse].map((socket) => readUntil(socket));
  accepted.write(REQUEST);
  // The service knows of a request once its headers are there.
  while (app.gate.underWay === 0) await sleep(1);
  const closed = app.close();
  while (app.server.listening) await sleep(1);
  late.write(REQUEST + EVENT);
  probe.write('GET /readyz?verbose HTTP/1.1\r\nHost: a\r\n\r\n');
  pulse.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await answers[1], /^HTTP\/1\.1 503 .*Connection: close.*Retry-After: 1.*STORAGE_UNAVAILABLE/s);
  t.match(await answers[2], /^HTTP\/1\.1 503 .*Connection: close.*"stopping"/s, 'not ready at once');
  t.match(await answers[3], /^HTTP\/1\.1 200 .*Connection: close.*"alive"/s, 'but alive');
  await t.rejects(open(), { code: 'ECONNREFUSED' });
  accepted.write(EVENT);
  t.match(await answers[0], /^HTTP\/1\.1 201 .*"position":1/s);
  await closed;
  t.equal(service.feed.head, 1);
});

t.test('closing without connections takes no time, and twice is once', async (t) => {
  const { app } = await startHttpService(t);
  await Promise.all([app.close(), app.close()]);
  t.equal(app.server.listening, false);
});

t.test('idle connections are ended, not reset', async (t) => {
  const { app, port } = await startHttpService(t);
  const socket = await openSocket(port);
  const ended = once(socket, 'end');
  socket.resume();
  await app.close();
  await ended;
});

t.test('whoever has connected when the port closes is answered', async (t) => {
  const { app, port } = await startHttpService(t);
  const answers = Array.from({ length: 20 }, async () => {
    const socket = await openSocket(port);
    socket.write(REQUEST + EVENT);
    return readUntil(socket);
  });
  // All of them wait at the port now, of which one is let in by each turn of the event loop.
  await nextTurn();
  const closed = app.close();
  for (const answer of await Promise.all(answers)) t.match(answer, /^HTTP\/1\.1 (201|503) /);
  await closed;
});

t.test('answers end their connections once the port is closed, not before', async (t) => {
  const { app, port } = await startHttpService(t);
  const first = await openSocket(port);
  const answer = readUntil(first, /alive/);
  // Letting these in keeps the port open for as many turns of the event loop.
  const others = Array.from({ length: 20 }, () => openSocket(port));
  await nextTurn();
  const closed = app.close();
  first.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await answer, /^HTTP\/1\.1 200 .*Connection: keep-alive/is);
  for (const socket of [first, ...(await Promise.all(others))]) socket.end();
  await closed;
});

t.test('a request that came while the service had no time for it is answered', async (t) => {
  const { app, port } = await startHttpService(t);
  const socket = await openSocket(port);
  const answer = readUntil(socket);
  const closed = app.close();
  while (app.server.listening) await sleep(1);
  await sleep(LIMITS.lingerMs / 2);
  // Behind a turn the timers are called before it is looked at what has arrived.
  await nextTurn();
  socket.write(REQUEST + EVENT);
  const endMs = performance.now() + 2 * LIMITS.lingerMs;
  while (performance.now() < endMs);
  t.match(await answer, /^HTTP\/1\.1 503 /);
  await closed;
});

t.test('a signal under load: what was acknowledged is stored, and every request has an answer', async (t) => {
  const store = await database(t);
  const service = await ServiceProcess.start(store);
  t.teardown(() => service.stop());
  const caller = new Caller();
  t.teardown(() => caller.close());
  const acknowledged: string[] = [];
  const answers = new Map<number, number>();
  const broken: unknown[] = [];
  let stopping = false;
  const client = async () => {
    for (;;) {
      let answer: Answer;
      try {
        answer = await caller.call(service.origin, '/v1/events', { method: 'POST', body: EVENT });
      } catch (error) {
        // Once the port is closed nobody can connect; a request that the service may have seen is another matter.
        if (!(stopping && isRefusedConnection(error))) broken.push(error);
        return;
      }
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
      if (answer.status === 201) acknowledged.push((JSON.parse(answer.text) as { id: string }).id);
      else if (answer.status !== 503) broken.push(answer);
    }
  };
  const clients = Promise.all(Array.from({ length: 16 }, client));
  while (acknowledged.length < 500) await sleep(5);
  stopping = true;
  const startedMs = performance.now();
  const code = await service.terminate();
  t.ok(performance.now() - startedMs < 10_000, 'within ten seconds');
  t.equal(code, 0, 'a clean exit');
  await clients;
  t.same(broken, [], 'no request was cut off');
  t.comment(`answers by status: ${JSON.stringify([...answers])}`);
  await service.restart();
  const { position } = bodyOf(await caller.call(service.origin, '/v1/head')) as { position: number };
  t.equal(position, acknowledged.length, 'nothing more and nothing less than what was acknowledged');
  for (const id of acknowledged.slice(-100)) {
    t.equal((await caller.call(service.origin, `/v1/events/${id}`)).status, 200, id);
  }
});

function isRefusedConnection(error: unknown): boolean {
  return error instanceof Error && /ECONNREFUSED/.test(String(error.cause));
}

t.test('a port that is taken and a signal to read the keys again', async (t) => {
  const service = await ServiceProcess.start('memory:');
  t.teardown(() => service.stop());
  process.kill(service.pid, 'SIGHUP');
  t.equal((await fetch(`${service.origin}/livez`)).status, 200, 'SIGHUP does not end it');
  await t.rejects(ServiceProcess.start('memory:', { STELE_PORT: String(service.port) }), {
    message: /another process listens on 127\.0\.0\.1:\d+/,
  });
  t.equal(await service.terminate(), 0);
});
