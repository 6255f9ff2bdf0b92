import type { RegistryState } from '../registry-state.ts';

/** What a page knows of where it stands: in a service that answers questions, or in a folder of files. */
export interface Site {
  readonly links: Links;
  /** Of the software. */
  readonly version: string;
  /** Of the registry. */
  readonly revision: number;
  /** A file has nobody to ask: what would need an answer is left out or done by the script. */
  readonly isStatic: boolean;
}

/** Where links lead, as they stand in the page. */
export interface Links {
  readonly list: string;
  readonly asyncApi: string;
  /** The documentation of the HTTP interface; a folder has none. */
  readonly docs: string | undefined;
  /** The page of a version; without one that of the type, which shows the latest. */
  type(type: string, version?: number): string;
  /** Undefined where there is no page about these two. */
  diff(type: string, versions: { readonly from: number; readonly to: number }): string | undefined;
}

const BASE = '/catalogue';

/** The pages of a service. */
export function serviceSite(state: RegistryState, version: string): Site {
  return { links: SERVICE_LINKS, version, revision: state.revision, isStatic: false };
}

const SERVICE_LINKS: Links = {
  list: BASE,
  asyncApi: '/asyncapi.json',
  docs: '/docs',
  type: (type, version) =>
    `${BASE}/${encodeURIComponent(type)}${version === undefined ? '' : `?version=${version}`}`,
  diff: (type, { from, to }) => `${BASE}/${encodeURIComponent(type)}/diff?from=${from}&to=${to}`,
};
