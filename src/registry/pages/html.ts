/**
 * HTML as a value of its own, so that text cannot be taken for it: whatever is put into a template is escaped unless it is Html
 * already. There is no other way to make Html than the template and `verbatim`, which is for our own style sheet and script.
 */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static of(parts: TemplateStringsArray, values: readonly Piece[]): Html {
    return new Html(parts.map((part, index) => part + render(values[index])).join(''));
  }

  static verbatim(text: string): Html {
    return new Html(text);
  }

  toString(): string {
    return this.#text;
  }
}

/** What a template takes: text and numbers are escaped, lists are joined, and nothing is nothing. */
export type Piece = Html | string | number | undefined | false | readonly Piece[];

export function html(parts: TemplateStringsArray, ...values: Piece[]): Html {
  return Html.of(parts, values);
}

function render(value: Piece): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(`${value}`);
  return value.map(render).join('');
}

/** Safe between tags and in quoted attributes. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Text for people: paragraphs at blank lines, and code between backticks. Everything else is shown as it stands. */
export function prose(text: string): Html {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== '');
  return html`${paragraphs.map((paragraph) => html`<p>${inline(paragraph.trim())}</p>`)}`;
}

/** One line of text for people. */
export function inline(text: string): Html {
  const pieces = text.split(/`([^`]+)`/);
  return html`${pieces.map((piece, index) => (index % 2 === 1 ? html`<code>${piece}</code>` : piece))}`;
}

/** `1 event`, `1,204 events`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

export function grouped(count: number): string {
  return `${count}`.replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** A canonical timestamp, to the minute. */
export function moment(timestamp: string): Html {
  return html`<time datetime="${timestamp}">${timestamp.slice(0, 10)} ${timestamp.slice(11, 16)} UTC</time>`;
}
