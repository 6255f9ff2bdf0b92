import { html } from './html.ts';
import { page } from './layout.ts';
import type { Site } from './site.ts';

/** Where somebody arrives who knows no more than the address. */
export const DOORS = [
  [
    'catalogue',
    '/catalogue',
    'Catalogue',
    'The event types of this log: what they mean, what they hold, who emits them.',
  ],
  ['docs', '/docs', 'HTTP API', 'Every route, with its parameters, answers and errors, to try out.'],
  ['openApi', '/openapi.json', 'OpenAPI', 'The HTTP API for programs.'],
  ['asyncApi', '/asyncapi.json', 'AsyncAPI', 'The event types for programs.'],
  [
    'eventSchema',
    '/event.schema.json',
    'Event schema',
    'The JSON Schema of an event, as it is read and as it is sent.',
  ],
  ['ready', '/readyz?verbose=true', 'Readiness', 'Whether the service can reach its store.'],
  ['metrics', '/metrics', 'Metrics', 'The figures of the service, for Prometheus.'],
] as const;

export function homePage(site: Site): string {
  return page(site, {
    title: 'Stele',
    at: 'home',
    content: html`<h1>Stele</h1>
<p class="lead">An event store over HTTP: append events, query them, and follow them live.</p>
<ul class="doors">${DOORS.map(
      ([, href, name, what]) => html`<li><a href="${href}">${name}</a><p>${what}</p></li>`,
    )}</ul>`,
  });
}
