import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { FaultProxy, type Moment } from '../helpers/fault-proxy.ts';

/** The proxy itself, in front of a server that answers each line with itself in capitals. */
async function setUp(t: Test) {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('data', (text) => {
      heard.push(String(text));
      socket.write(String(text).toUpperCase());
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const proxy = await FaultProxy.start({ host: '127.0.0.1', port: address.port });
  t.teardown(async () => {
    await proxy.stop();
    server.close();
  });
  return { proxy, heard, dial: () => dial(t, proxy.port) };
}

async function dial(t: Test, port: number) {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const state = { text: '', closed: false };
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.on('data', (text) => {
    state.text += String(text);
  });
  socket.on('close', () => {
    state.closed = true;
  });
  t.teardown(() => socket.destroy());
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined);
  return { state, socket };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

t.test('passes everything on, and a URL leads through it', async (t) => {
  const { proxy, dial } = await setUp(t);
  const { socket, state } = await dial();
  socket.write('hello');
  await until(() => state.text === 'HELLO');
  const url = new URL(proxy.via('postgres://user:secret@database.example:5432/stele?schema=a'));
  t.same(
    [url.host, url.username, url.pathname, url.search],
    [`127.0.0.1:${proxy.port}`, 'user', '/stele', '?schema=a'],
  );
});

t.test('holds bytes back and lets them go', async (t) => {
  const { proxy, dial, heard } = await setUp(t);
  const { socket, state } = await dial();
  proxy.weather = 'stalled';
  socket.write('late');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.same(heard, []);
  proxy.weather = 'clear';
  await until(() => state.text === 'LATE');
});

t.test('is gone for what is open and what is new, and comes back', async (t) => {
  const { proxy, dial } = await setUp(t);
  const first = await dial();
  proxy.weather = 'gone';
  await until(() => first.state.closed);
  const second = await dial();
  await until(() => second.state.closed);
  proxy.weather = 'clear';
  const third = await dial();
  third.socket.write('back');
  await until(() => third.state.text === 'BACK');
});

/** What the server hears of `break me`, and what the client does. */
const MOMENTS: readonly [Moment, string, string][] = [
  ['before-request', '', ''],
  ['amid-request', 'brea', ''],
  ['after-request', 'break me', ''],
  ['before-answer', 'break me', ''],
  ['amid-answer', 'break me', 'BREA'],
];

for (const [moment, server, client] of MOMENTS) {
  t.test(`breaks a request that matches: ${moment}`, async (t) => {
    const { proxy, dial, heard } = await setUp(t);
    const { socket, state } = await dial();
    const sprung = proxy.trap(/break/, moment);
    socket.write('pass');
    await until(() => state.text === 'PASS');
    socket.write('break me');
    await sprung;
    await until(() => state.closed);
    if (server !== '') await until(() => heard.length === 2);
    t.equal(heard.slice(1).join(''), server);
    t.equal(state.text.slice(4), client);
    const again = await dial();
    again.socket.write('break me');
    await until(() => again.state.text === 'BREAK ME');
  });
}

t.test('breaks a request that matches: silence', async (t) => {
  const { proxy, dial, heard } = await setUp(t);
  const { socket, state } = await dial();
  const sprung = proxy.trap(/break/, 'silence');
  socket.write('break me');
  await sprung;
  await until(() => heard.length === 1);
  socket.write('more');
  await until(() => heard.length === 2);
  t.equal(state.text, '');
  t.equal(state.closed, false);
});

t.test('holds one request back while others pass', async (t) => {
  const { proxy, dial, heard } = await setUp(t);
  const first = await dial();
  const second = await dial();
  const held = proxy.hold(/wait/);
  first.socket.write('wait');
  const release = await held;
  second.socket.write('wait');
  await until(() => second.state.text === 'WAIT');
  t.same(heard, ['wait'], 'the one that was held has not come through');
  release();
  await until(() => first.state.text === 'WAIT');
});
