import { parseBody, type StoredEvent, type Tags } from '../event.ts';
import type { ViewProblem } from '../view-problem.ts';

/** A stored event taken apart, as far as other shapes of it need: what is largest, the data, stays text. */
export interface EventParts extends Omit<StoredEvent, 'body'> {
  readonly version: number;
  readonly tags: Tags;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** JSON text of an object. */
  readonly data: string;
  /** Why it is not as the reader asked for it. */
  readonly problem?: ViewProblem;
}

const DATA = ',"data":';

export function partsOf({ body, ...event }: StoredEvent): EventParts {
  // The first place that looks like the data is the data, unless it stands inside of the metadata: then braces are
  // open before it, and what is before it is no JSON.
  for (let at = body.indexOf(DATA); at !== -1; at = body.indexOf(DATA, at + 1)) {
    const labels = parsed(`{${body.slice(0, at)}}`);
    if (labels !== undefined) return { ...event, ...labels, data: body.slice(at + DATA.length) };
  }
  const { data, ...labels } = parseBody(body);
  return { ...event, ...labels, data: JSON.stringify(data) };
}

function parsed(text: string): Pick<EventParts, 'version' | 'tags' | 'metadata'> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
