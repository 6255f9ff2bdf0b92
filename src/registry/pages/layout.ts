import { createHash } from 'node:crypto';
import { Html, html } from './html.ts';
import { SCRIPT } from './script.ts';
import type { Site } from './site.ts';
import { STYLE } from './style.ts';

/**
 * A page as a whole. It needs nothing but itself: style and script stand in it and are allowed by their digests, so that it works in
 * a folder and in a mail as well as from a service, and runs nothing that anybody else wrote into it.
 */
export interface PageParts {
  readonly title: string;
  /** Which entry of the navigation the page belongs to. */
  readonly at: 'home' | 'catalogue';
  /** Beside the content: what is on this page. */
  readonly aside?: Html;
  readonly content: Html;
}

const digest = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

function policy(formAction: "'self'" | "'none'"): string {
  return [
    "default-src 'none'",
    `style-src ${digest(STYLE)}`,
    `script-src ${digest(SCRIPT)}`,
    'img-src data:',
    "base-uri 'none'",
    `form-action ${formAction}`,
  ].join('; ');
}

/** The policy of a page that a service sends; who may frame it can be said in a header only. */
export const PAGE_POLICY = `${policy("'self'")}; frame-ancestors 'none'`;
const FILE_POLICY = policy("'none'");

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M4 15V5a4 4 0 0 1 8 0v10z' fill='%23b4491a'/%3E%3C/svg%3E";

export function page(site: Site, { title, at, aside, content }: PageParts): string {
  const { links, version, revision, isStatic } = site;
  const current = (where: PageParts['at']) => (where === at ? html` aria-current="true"` : undefined);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
${isStatic && html`<meta http-equiv="Content-Security-Policy" content="${FILE_POLICY}">`}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Stele ${version}">
<title>${title}</title>
<link rel="icon" href="${ICON}">
<style>${Html.verbatim(STYLE)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="mark" href="${isStatic ? links.list : '/'}">Stele</a>
<nav aria-label="Stele">
<a href="${links.list}"${current('catalogue')}>Catalogue</a>
${links.docs !== undefined && html`<a href="${links.docs}">HTTP API</a>`}
<a href="${links.asyncApi}">AsyncAPI</a>
</nav>
</header>
<div class="sheet${aside === undefined ? ' plain' : ''}">
${aside !== undefined && html`<nav class="aside" aria-label="On this page">${aside}</nav>`}
<main id="content">
${content}
</main>
</div>
<footer><p>Stele ${version}${at === 'catalogue' && revision > 0 && html`, registry at revision ${revision}`}</p></footer>
<script>${Html.verbatim(SCRIPT)}</script>
</body>
</html>
`.toString();
}

/** A list of links into the page. */
export function contents(
  title: string,
  entries: readonly (readonly [id: string, text: string, count?: string])[],
): Html {
  return html`<h2>${title}</h2>
<ul>${entries.map(
    ([id, text, count]) =>
      html`<li><a href="#${id}"><span>${text}</span>${count !== undefined && html`<span class="count">${count}</span>`}</a></li>`,
  )}</ul>`;
}
