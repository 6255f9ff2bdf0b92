/**
 * Bytes on their way to many connections.
 *
 * A thousand streams that want the same events are handed the same Buffer, and it already is a chunk of HTTP's
 * chunked coding (RFC 9112, section 7.1): what is left for each stream is one system call. With one write for
 * each event and stream the system calls alone had taken ten times as long as everything else together.
 */
export interface Frame {
  /** The payload as one HTTP chunk, in one part or several. */
  readonly chunk: readonly Buffer[];
  /** The payload alone, for connections of HTTP/1.0, which knows no chunks. Never empty: that would end the body. */
  readonly payload: Buffer;
}

/** The size of a chunk may have leading zeros, so its line has the same length for all. */
const SIZE_LINE_BYTES = 10;
const LINE_END = Buffer.from('\r\n');

/** A chunk whose payload is still to be written. */
export function allocateChunk(payloadBytes: number): { bytes: Buffer; start: number } {
  const bytes = Buffer.allocUnsafe(SIZE_LINE_BYTES + payloadBytes + LINE_END.length);
  writeSizeLine(bytes, payloadBytes);
  LINE_END.copy(bytes, SIZE_LINE_BYTES + payloadBytes);
  return { bytes, start: SIZE_LINE_BYTES };
}

/** A chunk that was filled, as a frame. */
export function frameOf(bytes: Buffer): Frame {
  return { chunk: [bytes], payload: bytes.subarray(SIZE_LINE_BYTES, bytes.length - LINE_END.length) };
}

/** Copies slices into one frame. */
export function joinSlices(slices: readonly Buffer[]): Frame {
  let size = 0;
  for (const slice of slices) size += slice.length;
  const { bytes, start } = allocateChunk(size);
  let at = start;
  for (const slice of slices) at += slice.copy(bytes, at);
  return frameOf(bytes);
}

/** A frame around bytes that are not to be copied, such as a block out of the database. */
export function passThrough(payload: Buffer): Frame {
  const sizeLine = Buffer.allocUnsafe(SIZE_LINE_BYTES);
  writeSizeLine(sizeLine, payload.length);
  return { chunk: [sizeLine, payload, LINE_END], payload };
}

export function textFrame(text: string): Frame {
  return joinSlices([Buffer.from(text)]);
}

/**
 * A frame of Server-Sent Events that is about the stream, not one of its events. Only what tells the client a
 * place to resume from carries an `id`: without one the client keeps the id that it has.
 */
export function controlFrame(
  event: 'caught-up' | 'checkpoint' | 'gap' | 'shutdown' | 'problem',
  data: object,
  options: { id?: number; retryMs?: number } = {},
): Frame {
  const retry = options.retryMs === undefined ? '' : `retry: ${options.retryMs}\n`;
  const id = options.id === undefined ? '' : `id: ${options.id}\n`;
  return textFrame(`${retry}${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function writeSizeLine(bytes: Buffer, size: number): void {
  bytes.write(`${size.toString(16).padStart(SIZE_LINE_BYTES - 2, '0')}\r\n`, 0, 'latin1');
}
