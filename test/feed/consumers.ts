import { connect } from 'node:net';

/**
 * A process full of consumers: node consumers.ts <port> <readers> <sleepers>. Readers take everything and tell,
 * for some of them, how old events are when they arrive; sleepers send their request and never read.
 */
const [port, readers, sleepers] = process.argv.slice(2).map(Number) as [number, number, number];
const REQUEST = 'GET /?after=0 HTTP/1.1\r\nHost: stage\r\n\r\n';
const SAMPLED_EVERY = 25;
/** A commit ends with an event that holds when it was sent. */
const SENT_AT = /"sentAtMs":([\d.]+)[\s\S]{0,200}$/;

const shared = Buffer.alloc(256 * 1024);
const agesMs: number[] = [];
let receivedBytes = 0;
let cut = 0;

for (let index = 0; index < readers; index += 1) {
  const isSampled = index % SAMPLED_EVERY === 0;
  const socket = connect({
    port,
    host: '127.0.0.1',
    onread: {
      buffer: shared,
      callback: (bytes, buffer) => {
        receivedBytes += bytes;
        if (!isSampled) return true;
        const text = Buffer.from(buffer.buffer, buffer.byteOffset, bytes).toString(
          'latin1',
          Math.max(0, bytes - 400),
        );
        const sentAtMs = SENT_AT.exec(text)?.[1];
        if (sentAtMs !== undefined)
          agesMs.push(performance.timeOrigin + performance.now() - Number(sentAtMs));
        return true;
      },
    },
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    cut += 1;
  });
  socket.write(REQUEST);
}
for (let index = 0; index < sleepers; index += 1) {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(REQUEST);
}

/** Answers each message with what it has now; ages are told once. */
process.on('message', () => process.send?.({ receivedBytes, cut, agesMs: agesMs.splice(0) }));
// They live no longer than the service.
process.on('disconnect', () => process.exit(0));
