import { jsonDiff, type PatchOperation } from '../../model/json-value.ts';
import type { EventType, JsonSchema, TypeVersion } from '../event-type.ts';
import { type Detail, type MemberChange, memberChanges } from '../schema-diff.ts';
import type { SchemaRow } from '../schema-rows.ts';
import type { UpcastOperation } from '../upcast-operation.ts';
import { counted, type Html, html, inline } from './html.ts';
import { jsonCode } from './json-code.ts';
import { page } from './layout.ts';
import type { Site } from './site.ts';
import { crumbs } from './type-page.ts';
import { typeName } from './words.ts';

const PARTS = [
  ['schema', 'Data', '/data'],
  ['tagsSchema', 'Tags', '/tags'],
  ['metadataSchema', 'Metadata', '/metadata'],
] as const;

/** What changed from one version of a type to another, for people; and how the data of the one becomes that of the other. */
export function diffPage(
  type: EventType,
  site: Site,
  { from, to }: { readonly from: TypeVersion; readonly to: TypeVersion },
): string {
  const parts = PARTS.map(([part, title, prefix]) => {
    const changes = memberChanges(from[part] ?? true, to[part] ?? true);
    return { title, prefix, changes, operations: jsonDiff(asDocument(from[part]), asDocument(to[part])) };
  }).filter(({ changes, operations }) => changes.length + operations.length > 0);
  const content = html`${crumbs(site, type.type, { isRegistered: true, isAbout: true })}
<h1>Version ${from.version} to version ${to.version}</h1>
<p class="lead mono">${typeName(type.type)}</p>
${site.isStatic ? undefined : chooser(type, site, { from, to })}
${parts.length === 0 && html`<p>The schemas are the same.</p>`}
${parts.map(
  ({ title, prefix, changes, operations }) => html`<section><h2>${title}</h2>
${
  changes.length === 0
    ? html`<p>The schema is written differently, and says the same of every member.</p>`
    : html`<p class="muted small">${summary(changes)}</p><ul class="changes">${changes.map((change) => changeItem(change, prefix, changes))}</ul>`
}
<details><summary>The same as changes of the schema document</summary>${patch(operations)}</details></section>`,
)}
${upcastSection(type, { from, to })}`;
  return page(site, {
    title: `${type.type}, version ${from.version} to ${to.version} · Event catalogue`,
    at: 'catalogue',
    content,
  });
}

/** The difference of documents is told of objects; a boolean schema is one without members. */
function asDocument(schema: JsonSchema | undefined): unknown {
  return schema === undefined || schema === true ? {} : schema === false ? { not: {} } : schema;
}

function chooser(
  type: EventType,
  { links }: Site,
  { from, to }: { from: TypeVersion; to: TypeVersion },
): Html {
  const select = (name: 'from' | 'to', chosen: number) =>
    html`<label>${name === 'from' ? 'From' : 'to'} <select name="${name}">${type.versions.map(
      ({ version }) =>
        html`<option value="${version}"${version === chosen && html` selected`}>version ${version}</option>`,
    )}</select></label>`;
  if (type.versions.length < 3) return html``;
  const action = links.diff(type.type, { from: from.version, to: to.version })?.split('?', 1)[0];
  return html`<form class="find" method="get" action="${action}">${select('from', from.version)} ${select(
    'to',
    to.version,
  )} <button type="submit">Compare</button></form>`;
}

function summary(changes: readonly MemberChange[]): string {
  const count = (kind: MemberChange['kind']) => changes.filter((change) => change.kind === kind).length;
  return [
    [count('added'), 'added'],
    [count('removed'), 'removed'],
    [count('changed'), 'changed'],
  ]
    .filter(([number]) => number !== 0)
    .map(([number, word]) => `${number} ${word}`)
    .join(', ');
}

function changeItem(change: MemberChange, prefix: string, changes: readonly MemberChange[]): Html {
  const { kind, path, before, after, details } = change;
  const row = kind === 'changed' ? undefined : (after ?? before);
  return html`<li${isWithin(change, changes) && html` class="within"`}><div class="what"><span class="tag ${kind}">${kind}</span> <code>${prefix}${path}</code>${
    row !== undefined && html` <span class="muted">${rowWords(row)}</span>`
  }</div>${row !== undefined && row.description !== '' && html`<p class="muted small">${inline(row.description)}</p>`}${
    details.length > 0 && html`<dl>${details.map(detailItem)}</dl>`
  }</li>
`;
}

/** A member that came or went with the one it is in is told with less ado. */
function isWithin({ kind, path }: MemberChange, changes: readonly MemberChange[]): boolean {
  return (
    kind !== 'changed' &&
    changes.some((other) => other.kind === kind && other.path !== '' && /^[/(]/.test(after(path, other.path)))
  );
}

function after(path: string, start: string): string {
  return path.startsWith(start) ? path.slice(start.length) : '';
}

function rowWords({ type, isRequired, constraints, values }: SchemaRow): string {
  const only = values.length === 0 ? [] : [`one of ${values.join(', ')}`];
  return [type, ...(isRequired ? ['required'] : []), ...only, ...constraints].join(', ');
}

function detailItem({ what, before, after }: Detail): Html {
  return html`<dt>${what}</dt><dd>${before !== '' && html`<del>${before}</del>`}${before !== '' && after !== '' && ' → '}${
    after !== '' && html`<ins>${after}</ins>`
  }</dd>`;
}

function patch(operations: readonly PatchOperation[]): Html {
  if (operations.length === 0) return html`<p class="muted">None.</p>`;
  return html`<div class="wide"><table><thead><tr><th scope="col">Pointer</th><th scope="col">Before</th><th scope="col">After</th></tr></thead><tbody>${operations.map(
    (operation) =>
      html`<tr><th scope="row"><code>${operation.path === '' ? '(all of it)' : operation.path}</code></th><td>${
        operation.op !== 'add' && html`<del><code>${written(operation.before)}</code></del>`
      }</td><td>${operation.op !== 'remove' && html`<ins><code>${written(operation.value)}</code></ins>`}</td></tr>`,
  )}</tbody></table></div>`;
}

const WRITTEN_MAX = 400;

function written(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > WRITTEN_MAX ? `${text.slice(0, WRITTEN_MAX)}…` : text;
}

/** How data of the older version is read as the newer one: the operations of every version on the way. */
function upcastSection(
  type: EventType,
  { from, to }: { from: TypeVersion; to: TypeVersion },
): Html | undefined {
  if (from.version >= to.version) return undefined;
  const steps = type.versions.filter(({ version }) => version > from.version && version <= to.version);
  const count = steps.reduce((sum, { upcast }) => sum + upcast.length, 0);
  return html`<section><h2>Upcast</h2>
${
  count === 0
    ? html`<p>Data of version ${from.version} is read as version ${to.version} as it is.</p>`
    : html`<p>Data of version ${from.version} becomes data of version ${to.version} by ${counted(count, 'operation')}, when it is read; what is stored stays.</p>
${steps
  .filter(({ upcast }) => upcast.length > 0)
  .map(
    ({ version, upcast }) =>
      html`${steps.length > 1 && html`<h3>To version ${version}</h3>`}<ol>${upcast.map(
        (operation) => html`<li>${operationWords(operation)}</li>`,
      )}</ol><details><summary>As JSON</summary>${jsonCode(upcast)}</details>`,
  )}`
}</section>`;
}

function operationWords(operation: UpcastOperation): Html {
  switch (operation.op) {
    case 'rename':
      return html`<code>${operation.path}</code> is renamed to <code>${operation.to}</code>`;
    case 'move':
      return html`<code>${operation.from}</code> is moved to <code>${operation.path}</code>`;
    case 'copy':
      return html`<code>${operation.from}</code> is copied to <code>${operation.path}</code>`;
    case 'remove':
      return html`<code>${operation.path}</code> is removed`;
    case 'default':
      return html`<code>${operation.path}</code> is <code>${written(operation.value)}</code> where it is missing`;
    case 'set':
      return html`<code>${operation.path}</code> is set to <code>${written(operation.value)}</code>`;
    default:
      return operation satisfies never;
  }
}
