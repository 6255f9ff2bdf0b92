import type { Compatibility, Enforcement } from '../event-type.ts';
import { type Html, html } from './html.ts';

/** What the settings of a type mean, for people. */
export const ENFORCEMENT: Readonly<Record<Enforcement, { readonly word: string; readonly meaning: string }>> =
  {
    enforce: { word: 'enforced', meaning: 'An event that does not satisfy the schema is refused.' },
    warn: { word: 'warns', meaning: 'An event that does not satisfy the schema is stored and counted.' },
    off: { word: 'not checked', meaning: 'Events are stored as they come.' },
  };

export const COMPATIBILITY: Readonly<
  Record<Compatibility, { readonly word: string; readonly meaning: string }>
> = {
  none: { word: 'none', meaning: 'A new version may change anything.' },
  backward: { word: 'backward', meaning: 'A new version accepts what the version before accepts.' },
  forward: { word: 'forward', meaning: 'The version before accepts what a new version accepts.' },
  full: { word: 'full', meaning: 'A new version and the one before accept the same events.' },
};

/** The name of a type, which may break where its parts meet. */
export function typeName(type: string): Html {
  return html`${type.split(/(?<=[._:-])/).map((part) => html`${part}<wbr>`)}`;
}
