import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { Connection } from '../../src/feed/connection.ts';

t.test('a stream that is cut while it ends closes all the same', { timeout: 10_000 }, async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  for (let round = 0; round < 20; round += 1) {
    const { port } = server.address() as AddressInfo;
    const client = connect(port, '127.0.0.1');
    client.on('error', () => undefined).resume();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [request, response] = await once(server, 'request');
    const { socket } = request;
    const closed = once(socket, 'close');
    const stream = await Connection.open(request, response, []);
    const ended = once(response, 'finish');
    stream?.end({ close: true });
    await ended;
    t.ok(socket.writableEnded && !socket.destroyed, 'the FIN is on its way');
    stream?.destroy();
    await closed;
    client.destroy();
  }
  server.close();
});
