/**
 * A parser for Server-Sent Events (WHATWG HTML, section 9.2.6), fed with text as it arrives, cut anywhere.
 *
 * By hand, because a client without dependencies can be served to a browser as it is; the tests compare it with a
 * maintained parser over random streams and random cuts.
 */
export interface SseFrame {
  /** `message` where the frame names no other. */
  readonly event: string;
  /** The last id seen up to and with this frame; empty before the first. */
  readonly id: string;
  readonly data: string;
}

export interface SseParser {
  /** The frames completed by this piece of text, in order. */
  push(text: string): SseFrame[];
  /** What the stream last asked for with `retry:`. */
  readonly retryMs: number | undefined;
}

export function createSseParser(): SseParser {
  let rest = '';
  /** The text so far ended in CR: an LF that follows belongs to the same line end. */
  let afterReturn = false;
  let retryMs: number | undefined;
  let id = '';
  let event = '';
  let data: string[] = [];

  function field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // A comment.
    const name = colon === -1 ? line : line.slice(0, colon);
    let value = colon === -1 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (name === 'data') data.push(value);
    else if (name === 'id' && !value.includes('\0')) id = value;
    else if (name === 'event') event = value;
    else if (name === 'retry' && /^\d+$/.test(value)) retryMs = Number(value);
  }

  return {
    get retryMs() {
      return retryMs;
    },
    push(text) {
      const frames: SseFrame[] = [];
      let input = text;
      if (afterReturn && input.startsWith('\n')) input = input.slice(1);
      if (text !== '') afterReturn = text.endsWith('\r');
      const lines = (rest + input).split(/\r\n|\r|\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line !== '') {
          field(line);
          continue;
        }
        if (data.length > 0)
          frames.push({ event: event === '' ? 'message' : event, id, data: data.join('\n') });
        event = '';
        data = [];
      }
      return frames;
    },
  };
}
