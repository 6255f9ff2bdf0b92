import { INDENTS_MAX } from './schema-table.ts';

/**
 * How the pages look: one column to read, one accent, the fonts of the system; light or dark as the reader has it, narrow or wide,
 * on paper too. Colours are named here and nowhere else. Text stands at 7:1 or better against its ground, and what is muted at 4.5:1.
 */
const LIGHT = `
  --ground: #fdfcfa; --raised: #f5f2ec; --line: #e2ddd3; --text: #22201c; --muted: #6a645a; --accent: #9a3a12;
  --accent-ground: #faeee6; --key: #7a3b10; --string: #33602a; --number: #1f5785; --added: #2d6a2d; --removed: #a32638;
  --added-ground: #eaf4e6; --removed-ground: #fbe9ea; color-scheme: light;`;
const DARK = `
  --ground: #181714; --raised: #211f1b; --line: #3a362f; --text: #e9e4da; --muted: #a39b8d; --accent: #f0a275;
  --accent-ground: #35251b; --key: #e7b48f; --string: #a5cc96; --number: #90bfe6; --added: #9ccf92; --removed: #f09aa3;
  --added-ground: #1f2b1c; --removed-ground: #36201f; color-scheme: dark;`;

const indents = Array.from(
  { length: INDENTS_MAX },
  (_, index) => `.in-${index + 1} > :first-child { padding-left: calc(${index + 1} * 1.15rem + 0.2rem); }`,
).join('\n');

export const STYLE = `
:root { ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { ${DARK} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1.5rem; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1, h2, h3 { line-height: 1.25; font-weight: 600; text-wrap: balance; }
h1 { font-size: 1.9rem; letter-spacing: -0.015em; margin: 0 0 0.75rem; }
h1.name { font-family: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 1.55rem; }
h2 { font-size: 1.2rem; margin: 3rem 0 0.75rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
p { margin: 0 0 0.9rem; max-width: 42rem; overflow-wrap: anywhere; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 0.2em; text-decoration-color: color-mix(in srgb, currentColor 40%, transparent); }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
code, pre, .name, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-size: 0.875em; overflow-wrap: anywhere; unicode-bidi: isolate; }
p code, li code, dd code { background: var(--raised); padding: 0.1em 0.3em; border-radius: 3px; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: 0.9rem 1rem; margin: 0 0 1rem;
  overflow-x: auto; font-size: 0.825rem; line-height: 1.55; tab-size: 2; }
pre code { font-size: inherit; overflow-wrap: normal; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -100vw; top: 0; background: var(--ground); padding: 0.6rem 1rem; z-index: 1; }
.skip:focus { left: 0; }
.top { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; align-items: baseline; padding: 1rem clamp(1rem, 4vw, 2.5rem); border-bottom: 1px solid var(--line); }
.top .mark { font-weight: 700; letter-spacing: 0.01em; color: var(--text); text-decoration: none; margin-right: auto; }
.top .mark::before { content: ""; display: inline-block; width: 0.5em; height: 0.85em; margin-right: 0.5em; background: var(--accent); border-radius: 0.25em 0.25em 0 0; }
.top nav { display: flex; gap: 1.25rem; font-size: 0.925rem; }
.top nav a { color: var(--muted); text-decoration: none; }
.top nav a:hover, .top nav a[aria-current] { color: var(--text); text-decoration: underline; text-decoration-color: var(--accent); text-decoration-thickness: 2px; text-underline-offset: 0.45em; }
.sheet { display: grid; grid-template-columns: 12.5rem minmax(0, 1fr); gap: 0 3.5rem; max-width: 78rem; margin: 0 auto; padding: 2.5rem clamp(1rem, 4vw, 2.5rem) 4rem; }
.sheet.plain { display: block; max-width: 46rem; }
.aside { position: sticky; top: 1.5rem; align-self: start; max-height: calc(100vh - 3rem); overflow-y: auto; font-size: 0.9rem; }
.aside h2 { font-size: 0.75rem; letter-spacing: 0.06em; text-transform: uppercase; color: var(--muted); margin: 0.4rem 0 0.6rem; padding: 0; border: 0; }
.aside ul { list-style: none; margin: 0; padding: 0; border-left: 1px solid var(--line); }
.aside li a { display: flex; justify-content: space-between; gap: 0.5rem; padding: 0.22rem 0.75rem; color: var(--muted); text-decoration: none; margin-left: -1px; border-left: 1px solid transparent; overflow-wrap: anywhere; }
.aside li a:hover, .aside li a:focus-visible { color: var(--text); border-left-color: var(--accent); }
.aside .count { font-variant-numeric: tabular-nums; }
.crumbs { font-size: 0.875rem; color: var(--muted); margin: 0 0 0.75rem; }
.crumbs a { color: inherit; }
.lead { font-size: 1.0625rem; }
.facts { display: flex; flex-wrap: wrap; gap: 0.9rem 2.25rem; margin: 1.5rem 0 1rem; padding: 0; }
.facts dt { font-size: 0.75rem; letter-spacing: 0.05em; text-transform: uppercase; color: var(--muted); }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
.facts dd .small { display: block; max-width: 18rem; color: var(--muted); line-height: 1.4; }
.note { border-left: 3px solid var(--accent); background: var(--accent-ground); padding: 0.6rem 1rem; margin: 1.25rem 0; border-radius: 0 4px 4px 0; max-width: 46rem; }
.note p { margin: 0; }
form.find { display: flex; gap: 0.6rem; align-items: center; margin: 1.5rem 0 0.5rem; max-width: 36rem; }
form.find[hidden] { display: none; }
input[type="search"], select { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--muted); border-radius: 6px; padding: 0.5rem 0.75rem; }
input[type="search"] { flex: 1; min-width: 0; }
::placeholder { color: var(--muted); opacity: 1; }
button { font: inherit; font-size: 0.925rem; color: var(--accent); background: transparent; border: 1px solid var(--line); border-radius: 6px; padding: 0.5rem 0.9rem; cursor: pointer; }
button:hover { border-color: var(--accent); }
.code { position: relative; }
.code > button { position: absolute; right: 0.5rem; top: 0.5rem; padding: 0.15rem 0.6rem; font-size: 0.8rem; background: var(--ground); }
.list { list-style: none; margin: 0; padding: 0; }
.list > li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1.5rem; padding: 0.7rem 0; border-bottom: 1px solid var(--line); }
.list > li:last-child { border-bottom: 0; }
.list > li[hidden], section[hidden] { display: none; }
.list .name { font-size: 0.95rem; font-weight: 600; text-decoration: none; overflow-wrap: anywhere; }
.list .name:hover { text-decoration: underline; }
.list p { margin: 0.1rem 0 0; color: var(--muted); font-size: 0.925rem; grid-column: 1; }
.list .figures { grid-column: 2; grid-row: 1 / span 2; text-align: right; font-size: 0.85rem; color: var(--muted); font-variant-numeric: tabular-nums; line-height: 1.6; white-space: nowrap; }
.group h2 { display: flex; justify-content: space-between; align-items: baseline; margin: 2.25rem 0 0.25rem; font-size: 1.05rem; }
.group h2 .small { font-weight: 400; }
.wide { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; line-height: 1.5; }
th { text-align: left; font-weight: 500; }
thead th { font-weight: 600; }
thead th { font-size: 0.75rem; letter-spacing: 0.05em; text-transform: uppercase; color: var(--muted); white-space: nowrap; }
td, th { vertical-align: top; padding: 0.5rem 1.25rem 0.5rem 0.2rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.schema { table-layout: fixed; }
.schema th:nth-child(1) { width: 25%; } .schema th:nth-child(2) { width: 15%; } .schema th:nth-child(3) { width: 6.2rem; } .schema th:nth-child(4) { width: 23%; }
.schema tbody th code { font-size: 0.85rem; font-weight: 600; }
.schema .form > th { font-family: inherit; font-style: italic; font-weight: 400; color: var(--muted); }
.schema .must { color: var(--accent); }
.schema ul { list-style: none; margin: 0; padding: 0; }
.schema del, .gone { color: var(--muted); }
${indents}
.tag { display: inline-block; font-size: 0.75rem; line-height: 1.4; padding: 0.05rem 0.45rem; border-radius: 99px; border: 1px solid currentColor; }
.tag.added, .added { color: var(--added); } .tag.removed, .removed { color: var(--removed); } .tag.changed { color: var(--accent); }
.changes { list-style: none; margin: 0; padding: 0; }
.changes > li { padding: 0.75rem 0; border-bottom: 1px solid var(--line); }
.changes > li:last-child { border-bottom: 0; }
.changes .what { display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem; align-items: baseline; }
.changes .what code { font-weight: 600; font-size: 0.95rem; }
.changes p { margin: 0.15rem 0 0; }
.changes > li.within { padding: 0.1rem 0 0.1rem 1.25rem; border-bottom: 0; font-size: 0.925rem; }
.changes > li.within + li:not(.within) { border-top: 1px solid var(--line); margin-top: 0.6rem; }
.changes > li:has(+ li.within) { border-bottom: 0; padding-bottom: 0.3rem; }
.changes .within code { font-weight: 400; font-size: 0.85rem; }
.changes dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.15rem 1rem; margin: 0.35rem 0 0; font-size: 0.9rem; }
.changes dt { color: var(--muted); } .changes dd { margin: 0; overflow-wrap: anywhere; }
ins, del { text-decoration: none; padding: 0 0.25em; border-radius: 3px; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
ins { background: var(--added-ground); color: var(--added); } del { background: var(--removed-ground); color: var(--removed); }
details { margin: 0.5rem 0 1rem; } summary { cursor: pointer; color: var(--accent); font-size: 0.925rem; padding: 0.2rem 0; width: max-content; max-width: 100%; }
details[open] > summary { margin-bottom: 0.5rem; }
.rules { list-style: none; margin: 0; padding: 0; }
.rules > li { padding: 0.6rem 0; } .rules p { margin: 0; } .rules table { width: auto; margin-top: 0.5rem; }
.doors { list-style: none; margin: 2rem 0 0; padding: 0; }
.doors li { padding: 0.9rem 0; border-top: 1px solid var(--line); } .doors a { font-size: 1.1rem; font-weight: 600; text-decoration: none; } .doors p { margin: 0; color: var(--muted); }
.json-key { color: var(--key); } .json-string { color: var(--string); } .json-number { color: var(--number); }
footer { border-top: 1px solid var(--line); padding: 1.25rem clamp(1rem, 4vw, 2.5rem); color: var(--muted); font-size: 0.85rem; }
footer p { margin: 0; max-width: none; } footer a { color: inherit; }
@media (max-width: 60rem) {
  .sheet { display: block; padding-top: 1.75rem; }
  .aside { position: static; max-height: 10rem; margin: 0 0 1.75rem; }
  .aside ul { display: flex; flex-wrap: wrap; gap: 0.15rem 1.1rem; border: 0; }
  .aside li a { padding: 0.2rem 0; border: 0; text-decoration: underline; text-underline-offset: 0.2em; }
}
@media (max-width: 44rem) {
  h1 { font-size: 1.6rem; } h1.name { font-size: 1.3rem; }
  .list > li { display: block; }
  .list .figures { text-align: left; white-space: normal; margin-top: 0.2rem; }
  .list .figures > span + span::before { content: " · "; }
  .list .figures > span { display: inline; }
  .schema thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .schema, .schema tbody, .schema tr { display: block; width: auto; }
  .schema tbody tr { padding: 0.6rem 0; border-top: 1px solid var(--line); }
  .schema td, .schema th { display: inline; border: 0; padding: 0 0.5rem 0 0; }
  .schema td.long { display: block; padding: 0.15rem 0 0; }
  .schema td:empty { display: none; }
  .schema [class*="in-"] > :first-child, .schema tr > :first-child { padding-left: 0; }
  ${Array.from({ length: INDENTS_MAX }, (_, index) => `.schema .in-${index + 1} { margin-left: ${index + 1}rem; }`).join(' ')}
  .changes dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
}
@media (min-width: 44.01rem) { .list .figures > span { display: block; } }
@media print {
  :root { ${LIGHT} }
  body { font-size: 10pt; } .top nav, .aside, form, button, .skip { display: none; }
  .sheet { display: block; max-width: none; padding: 1rem 0; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  h2, h3 { break-after: avoid; } tr, .list > li, .changes > li { break-inside: avoid; } a { color: inherit; }
}
`;
