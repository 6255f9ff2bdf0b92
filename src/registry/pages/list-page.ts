import type { TypeSummary } from '../../store/store.ts';
import { firstSentence, groupOf } from '../async-api.ts';
import type { EventType, JsonSchema, TypeVersion } from '../event-type.ts';
import type { RegistryState } from '../registry-state.ts';
import { eachSubschema } from '../subschemas.ts';
import { counted, type Html, html, inline } from './html.ts';
import { contents, page } from './layout.ts';
import { ruleList } from './rule-list.ts';
import type { Site } from './site.ts';
import { ENFORCEMENT, typeName } from './words.ts';

export interface ListOptions {
  /** What is in the log, where there is one to look at. */
  readonly inLog?: readonly TypeSummary[];
  /** Words of a search: types that do not hold all of them are hidden. */
  readonly search?: string;
}

const UNREGISTERED = 'Not registered';

/** Every type, by the first segment of its name. */
export function listPage(state: RegistryState, site: Site, { inLog, search = '' }: ListOptions = {}): string {
  const counts = new Map(inLog?.map((summary) => [summary.type, summary]));
  const types = [...state.types.values()].sort(byName);
  const others = (inLog ?? []).filter(({ type }) => !state.types.has(type)).sort(byName);
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const isFound = (text: string) => words.every((word) => text.includes(word));
  const rows: Row[] = [
    ...types.map((type) =>
      typeRow(type, { site, summary: counts.get(type.type), isCounted: inLog !== undefined, isFound }),
    ),
    ...others.map((summary) => unregisteredRow(summary, { site, isFound })),
  ];
  const groups = [...new Set(rows.map(({ group }) => group))].map((name) => ({
    name,
    id: name === UNREGISTERED ? 'not-registered' : `group-${name}`,
    rows: rows.filter(({ group }) => group === name),
  }));
  const rules = [...state.rules.values()];
  const found = rows.filter((row) => row.isFound).length;
  const aside = contents('Groups', [
    ...groups.map(({ id, name, rows }) => [id, name, `${rows.length}`] as const),
    ...(rules.length === 0 ? [] : [['rules', 'Rules', `${rules.length}`] as const]),
  ]);
  const content = html`<h1>Event catalogue</h1>
<p class="lead">${
    types.length === 0
      ? 'No event type is registered yet.'
      : `${counted(types.length, 'event type')} in ${counted(new Set(types.map(({ type }) => groupOf(type))).size, 'group')}: what each means, what its events hold, and how they change.`
  }</p>
${types.length === 0 && emptyHint(site)}
${
  rows.length > 0 &&
  html`<form class="find" role="search" method="get" action="${site.isStatic ? '#content' : site.links.list}"${
    site.isStatic && html` hidden`
  }>
<input type="search" name="q" value="${search}" placeholder="Name, description or member" aria-label="Search event types" maxlength="256" autocomplete="off" spellcheck="false">
<button type="submit">Search</button>
</form>
<p class="muted small" role="status">${words.length > 0 && `${counted(found, 'type')} found`}</p>`
}
${groups.map(groupSection)}
${rules.length > 0 && html`<section aria-labelledby="rules"><h2 id="rules">Rules</h2><p class="muted">What must hold for an event to be appended.</p>${ruleList(state, site, rules)}</section>`}`;
  return page(site, {
    title: 'Event catalogue',
    at: 'catalogue',
    ...(groups.length > 0 ? { aside } : {}),
    content,
  });
}

interface Row {
  readonly group: string;
  readonly isFound: boolean;
  readonly item: Html;
}

function groupSection({ id, name, rows }: { id: string; name: string; rows: readonly Row[] }): Html {
  const isHidden = rows.every(({ isFound }) => !isFound);
  return html`<section class="group" data-group aria-labelledby="${id}"${isHidden && html` hidden`}>
<h2 id="${id}">${name} <span class="muted small">${rows.length}</span></h2>
<ul class="list">${rows.map(({ item }) => item)}</ul>
</section>`;
}

interface RowOptions {
  readonly site: Site;
  readonly isFound: (text: string) => boolean;
}

function typeRow(
  type: EventType,
  {
    site,
    summary,
    isCounted,
    isFound,
  }: RowOptions & { summary: TypeSummary | undefined; isCounted: boolean },
): Row {
  const latest = type.versions.at(-1);
  const figures = [
    latest === undefined ? 'no schema' : `version ${latest.version}, ${ENFORCEMENT[type.enforcement].word}`,
    ...(isCounted ? [summary === undefined ? 'no events' : counted(summary.count, 'event')] : []),
  ];
  const text = searchText(type);
  return {
    group: groupOf(type.type),
    isFound: isFound(text),
    item: listItem(
      { name: type.type, text, description: firstSentence(type.description), figures, site },
      isFound(text),
    ),
  };
}

function unregisteredRow({ type, count }: TypeSummary, { site, isFound }: RowOptions): Row {
  const text = type.toLowerCase();
  return {
    group: UNREGISTERED,
    isFound: isFound(text),
    item: listItem(
      { name: type, text, description: '', figures: [counted(count, 'event')], site },
      isFound(text),
    ),
  };
}

function listItem(
  {
    name,
    text,
    description,
    figures,
    site,
  }: { name: string; text: string; description: string; figures: readonly string[]; site: Site },
  isShown: boolean,
): Html {
  return html`<li data-find="${text}"${!isShown && html` hidden`}><a class="name" href="${site.links.type(name)}">${typeName(
    name,
  )}</a>${description !== '' && html`<p>${inline(description)}</p>`}<div class="figures">${figures.map(
    (figure) => html`<span>${figure}</span>`,
  )}</div></li>
`;
}

/** A catalogue of hundreds of types is still one page. */
const SEARCH_TEXT_MAX = 2000;

/** What a type is found by: its name, its description, its tags and the members of its data. */
function searchText({ type, description, tagsFromData, versions }: EventType): string {
  const latest = versions.at(-1);
  const members = latest === undefined ? [] : membersOf(latest);
  return [type, description, ...Object.keys(tagsFromData), ...members]
    .join(' ')
    .replace(/\s+/g, ' ')
    .toLowerCase()
    .slice(0, SEARCH_TEXT_MAX);
}

/** A version never changes, and a list asks for all of them again and again. */
const known = new WeakMap<TypeVersion, ReadonlySet<string>>();

function membersOf(version: TypeVersion): ReadonlySet<string> {
  let names = known.get(version);
  if (names === undefined) {
    names = new Set(memberNames(version.schema));
    known.set(version, names);
  }
  return names;
}

function memberNames(schema: JsonSchema): string[] {
  if (typeof schema === 'boolean') return [];
  const names: string[] = [];
  eachSubschema(schema, (subschema, [keyword, name = '']) => {
    if (keyword === 'properties') names.push(name);
    names.push(...memberNames(subschema));
  });
  return names;
}

function emptyHint({ isStatic }: Site): Html | undefined {
  if (isStatic) return undefined;
  return html`<div class="note"><p>Register one with <code>PUT /v1/types/{type}</code> and its schema with <code>POST /v1/types/{type}/versions</code>, or many at once from a folder with <code>stele types</code>.</p></div>`;
}

function byName(a: { readonly type: string }, b: { readonly type: string }): number {
  return a.type < b.type ? -1 : 1;
}
