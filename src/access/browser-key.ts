/**
 * The key that a browser brings. It cannot be told to send a bearer key, but it asks its user for a name and a password (Basic,
 * RFC 7617), of which the password is the key and the name is nothing.
 *
 * It then sends them along with every request to this service, also with those that a page from elsewhere makes it send. So this
 * way in is open on pages that are only read, and on no route that changes anything.
 */
export function bearerOf(authorization: string | undefined): string | undefined {
  const credentials = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(authorization ?? '')?.[1];
  if (credentials === undefined) return authorization;
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : `Bearer ${text.slice(colon + 1)}`;
}

/** What a refusal asks for: the first is what a browser understands. */
export const BROWSER_CHALLENGE = 'Basic realm="stele", charset="UTF-8", Bearer realm="stele"';
