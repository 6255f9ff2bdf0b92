import type { JsonNode } from '../json-text.ts';

/** A JSON object in the text that a client sent: its members can be passed on as they are written. */
export class SentObject {
  readonly #text: string;
  readonly #node: JsonNode;

  constructor(text: string, node: JsonNode) {
    this.#text = text;
    this.#node = node;
  }

  get names(): readonly string[] {
    return (this.#node.members ?? []).map(({ key }) => key);
  }

  /** The text of a member; undefined where there is none. */
  raw(name: string): string | undefined {
    const node = this.#find(name);
    return node === undefined ? undefined : this.#text.slice(node.start, node.end);
  }

  /** A member that is an object itself; without members where there is none. */
  object(name: string): SentObject {
    return new SentObject(this.#text, this.#find(name) ?? { start: 0, end: 0 });
  }

  /** The elements of a member that is a list. */
  objects(name: string): SentObject[] {
    return (this.#find(name)?.items ?? []).map((node) => new SentObject(this.#text, node));
  }

  #find(name: string): JsonNode | undefined {
    return this.#node.members?.find(({ key }) => key === name)?.value;
  }
}
