import type { JsonSchema } from '../event-type.ts';
import { type SchemaRow, tableOf } from '../schema-rows.ts';
import { isSchemaObject } from '../subschemas.ts';
import { type Html, html, inline } from './html.ts';
import { jsonCode } from './json-code.ts';

/** A schema as a table to read, and the schema itself for who wants to take it along. */
export const INDENTS_MAX = 8;

/** So many values of a member are shown; the rest is counted. The schema beneath holds them all. */
const VALUES_SHOWN = 24;

export function schemaTable(schema: JsonSchema, caption: string): Html {
  const { root, rows, isCut } = tableOf(schema);
  return html`${about(root)}
${
  rows.length > 0 &&
  html`<table class="schema">
<caption class="unseen">${caption}</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Required</th><th scope="col">Constraints</th><th scope="col">Description</th></tr></thead>
<tbody>
${rows.map(tableRow)}
</tbody>
</table>`
}
${isCut && html`<p class="muted small">There is more of it than a table can show: see the schema.</p>`}
${
  isSchemaObject(schema) &&
  Object.keys(schema).length > 0 &&
  html`<details><summary>JSON Schema</summary>${jsonCode(schema)}</details>`
}`;
}

/** What is said of the value as a whole, where that is more than that it is an object. */
function about({ type, constraints, description, values }: SchemaRow): Html {
  const words = [type, ...constraints, ...(values.length === 0 ? [] : [`one of ${values.join(', ')}`])];
  if (type === 'never') return html`<p>Nothing is valid here.</p>`;
  if (type === 'any' && words.length === 1 && description === '') return html`<p>Anything is valid here.</p>`;
  return html`${description !== '' && html`<p>${inline(description)}</p>`}
<p class="muted small">${capital(words.join(', '))}.</p>`;
}

function tableRow(row: SchemaRow): Html {
  const { name, kind, type, isRequired, isDeprecated, description } = row;
  const indent = row.depth === 0 ? '' : `in-${Math.min(row.depth, INDENTS_MAX)}`;
  const isName = kind === 'member' && !/^(?:any other name|name like |item \d)/.test(name);
  return html`<tr class="${indent}${kind === 'form' ? ' form' : ''}" title="${row.path}"><th scope="row">${
    isName ? html`<code>${name}</code>` : name
  }</th><td>${type}</td><td>${isRequired ? html`<span class="must">required</span>` : undefined}</td><td class="long">${limits(
    row,
  )}</td><td class="long">${isDeprecated && html`<span class="tag removed">deprecated</span> `}${inline(description)}</td></tr>
`;
}

function limits({ constraints, values }: SchemaRow): Html | undefined {
  if (constraints.length === 0 && values.length === 0) return undefined;
  const shown = values.slice(0, VALUES_SHOWN);
  const more = values.length - shown.length;
  const [only] = values;
  return html`<ul>${
    values.length === 1 && only !== undefined
      ? html`<li>always <code>${only}</code></li>`
      : values.length > 1 &&
        html`<li>one of ${shown.map((value, index) => html`${index > 0 && ', '}<code>${value}</code>`)}${
          more > 0 && ` and ${more} more`
        }</li>`
  }${constraints.map((words) => html`<li>${words}</li>`)}</ul>`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
