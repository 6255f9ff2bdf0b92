import type { TypeSummary } from '../../store/store.ts';
import { completeExample, groupOf } from '../async-api.ts';
import type { EventType, TypeVersion } from '../event-type.ts';
import type { RegistryState } from '../registry-state.ts';
import type { TypeActivity } from '../type-activity.ts';
import { activitySection } from './activity.ts';
import { counted, type Html, html, moment, prose } from './html.ts';
import { code, jsonCode } from './json-code.ts';
import { contents, page } from './layout.ts';
import { concerns, ruleList } from './rule-list.ts';
import { schemaTable } from './schema-table.ts';
import type { Site } from './site.ts';
import { COMPATIBILITY, ENFORCEMENT, typeName } from './words.ts';

export interface TypePageOptions {
  /** The version that is shown; without it the latest. */
  readonly version?: TypeVersion;
  /** What the log holds of the type, where there is one to look at. */
  readonly activity?: TypeActivity | 'unknown';
  readonly summary?: TypeSummary | undefined;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly content: Html;
}

/** All that is known of a type; `type` is undefined for one that is in the log and not registered. */
export function typePage(
  state: RegistryState,
  site: Site,
  name: string,
  { version, activity, summary }: TypePageOptions = {},
): string {
  const type = state.types.get(name);
  const latest = type?.versions.at(-1);
  const shown = version ?? latest;
  const rules = [...state.rules.values()].filter((rule) => concerns(rule, name));
  const sections: Section[] = [
    ...(type === undefined ? [] : shown === undefined ? [NO_SCHEMA] : schemaSections(type, shown)),
    ...(type === undefined || shown === undefined ? [] : [examples(type, shown)]),
    ...(type === undefined || type.versions.length === 0 ? [] : [versionsSection(type, shown, site)]),
    ...(rules.length === 0 ? [] : [{ id: 'rules', title: 'Rules', content: ruleList(state, site, rules) }]),
    ...(activity === undefined
      ? []
      : [{ id: 'emitters', title: 'Who emits it', content: activitySection(activity, summary?.count ?? 0) }]),
  ];
  const isOld = shown !== undefined && latest !== undefined && shown.version !== latest.version;
  const content = html`${crumbs(site, name, { isRegistered: type !== undefined })}
<h1 class="name">${typeName(name)}</h1>
${type === undefined ? unregistered() : html`<div class="lead">${prose(type.description)}</div>`}
${isOld && html`<div class="note"><p>This is version ${shown.version}. <a href="${site.links.type(name)}">The latest is version ${latest.version}.</a></p></div>`}
${type !== undefined && facts(type, shown)}
${sections.map(({ id, title, content }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`)}`;
  return page(site, {
    title: `${name}${isOld ? `, version ${shown.version}` : ''} · Event catalogue`,
    at: 'catalogue',
    aside: contents(
      'On this page',
      sections.map(({ id, title }) => [id, title] as const),
    ),
    content,
  });
}

/** The way back; on a page about a type, that of the type stands in it too. */
export function crumbs(
  { links }: Site,
  type: string,
  { isRegistered, isAbout = false }: { isRegistered: boolean; isAbout?: boolean },
): Html {
  const group = groupOf(type);
  return html`<p class="crumbs"><a href="${links.list}">Catalogue</a> / ${
    isRegistered
      ? html`<a href="${links.list}#group-${group}">${group}</a>`
      : html`<a href="${links.list}#not-registered">Not registered</a>`
  }${isAbout && html` / <a href="${links.type(type)}">${typeName(type)}</a>`}</p>`;
}

const NO_SCHEMA: Section = {
  id: 'data',
  title: 'Data',
  content: html`<p class="muted">No schema is registered: any JSON object is taken.</p>`,
};

function unregistered(): Html {
  return html`<div class="note"><p>The log holds events of this type, but nobody has registered it: there is no description and no schema.</p></div>`;
}

function facts(type: EventType, shown: TypeVersion | undefined): Html {
  const enforcement = ENFORCEMENT[type.enforcement];
  const compatibility = COMPATIBILITY[type.compatibility];
  return html`<dl class="facts">
${shown !== undefined && html`<div><dt>Version</dt><dd>${shown.version} <span class="small">${registeredAt(shown)}</span></dd></div>`}
<div><dt>Schema</dt><dd>${enforcement.word} <span class="small">${enforcement.meaning}</span></dd></div>
<div><dt>Compatibility</dt><dd>${compatibility.word} <span class="small">${compatibility.meaning}</span></dd></div>
</dl>`;
}

/** Versions that were read from files carry no time. */
function registeredAt({ createdAt }: TypeVersion): Html | undefined {
  return createdAt === '' ? undefined : html`registered ${moment(createdAt)}`;
}

function schemaSections(type: EventType, { schema, tagsSchema, metadataSchema }: TypeVersion): Section[] {
  const sections: Section[] = [
    { id: 'data', title: 'Data', content: schemaTable(schema, 'Members of data') },
  ];
  const derived = Object.entries(type.tagsFromData);
  if (tagsSchema !== undefined || derived.length > 0) {
    const content = html`${tagsSchema !== undefined && schemaTable(tagsSchema, 'Tags')}
${
  derived.length > 0 &&
  html`<p>Where an event has no such tag, it is taken from its data:</p>
<div class="wide"><table><thead><tr><th scope="col">Tag</th><th scope="col">Taken from</th></tr></thead><tbody>${derived.map(
    ([tag, pointer]) =>
      html`<tr><th scope="row"><code>${tag}</code></th><td><code>/data${pointer}</code></td></tr>`,
  )}</tbody></table></div>`
}`;
    sections.push({ id: 'tags', title: 'Tags', content });
  }
  if (metadataSchema !== undefined) {
    sections.push({
      id: 'metadata',
      title: 'Metadata',
      content: schemaTable(metadataSchema, 'Members of metadata'),
    });
  }
  return sections;
}

function examples(type: EventType, version: TypeVersion): Section {
  const events = version.examples.map((example) => completeExample(type, version, example));
  const content =
    events.length === 0
      ? html`<p class="muted">No example is registered.</p>`
      : html`${events.map(
          (event, index) =>
            html`${events.length > 1 && html`<h3>Example ${index + 1}</h3>`}${jsonCode(event)}<details><summary>Append it with curl</summary>${code(curl(event))}</details>`,
        )}`;
  return { id: 'examples', title: 'Examples', content };
}

/** The quoted word of the here-document keeps the shell from reading the event; no line of JSON is that word. */
export function curl(event: Readonly<Record<string, unknown>>): string {
  return `curl -X POST "\${STELE_URL:-http://127.0.0.1:7373}/v1/events" \\
  -H "Authorization: Bearer $STELE_KEY" \\
  -H 'Content-Type: application/json' \\
  --data-binary @- <<'EVENT'
${JSON.stringify(event, undefined, 2)}
EVENT
`;
}

function versionsSection(type: EventType, shown: TypeVersion | undefined, { links }: Site): Section {
  const latest = type.versions.length;
  const rows = [...type.versions].reverse().map(({ version, upcast, createdAt }) => {
    const diff = links.diff(type.type, { from: version - 1, to: version });
    const href = links.type(type.type, version === latest ? undefined : version);
    const isShown = version === shown?.version;
    return html`<tr><th scope="row"><a href="${href}"${isShown && html` aria-current="true"`}>Version ${version}</a></th><td>${
      createdAt !== '' && moment(createdAt)
    }</td><td>${version > 1 && diff !== undefined && html`<a href="${diff}">Since version ${version - 1}</a>`}${
      upcast.length > 0 && html`, <span class="muted">${counted(upcast.length, 'upcast operation')}</span>`
    }</td></tr>`;
  });
  const content = html`<div class="wide"><table>
<thead><tr><th scope="col">Version</th><th scope="col">Registered</th><th scope="col">Changes</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
  return { id: 'versions', title: 'Versions', content };
}
