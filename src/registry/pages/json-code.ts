import { type Html, html } from './html.ts';

/** A JSON value, indented, with its keys and values told apart by colour. */
export function jsonCode(value: unknown): Html {
  return code(html`${tokens(JSON.stringify(value, undefined, 2))}`);
}

/** Code that the reader may copy. It scrolls by itself when it is wide, so it can have the focus of the keyboard. */
export function code(content: Html | string): Html {
  return html`<div class="code"><pre data-copy tabindex="0"><code>${content}</code></pre></div>`;
}

/** Texts with the colon that makes a key of them, numbers and words; everything between them stays as it is. */
const TOKEN = /("(?:[^"\\]|\\.)*"\s*:|"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|\btrue\b|\bfalse\b|\bnull\b)/;

function tokens(text: string): (Html | string)[] {
  return text.split(TOKEN).map((token, index) => {
    if (index % 2 === 0) return token;
    if (token.endsWith(':')) return html`<span class="json-key">${token.slice(0, -1)}</span>:`;
    return html`<span class="json-${token.startsWith('"') ? 'string' : 'number'}">${token}</span>`;
  });
}
