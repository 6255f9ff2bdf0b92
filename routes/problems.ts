import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { ERROR_CATALOGUE, type ErrorCode, problemSlug, StoreError } from '../src/errors.ts';
import { preferred } from './accept.ts';
import { JSON_TYPE, sendJson, sendText } from './answer.ts';
import { HTML_TYPE } from './html-answer.ts';

/** GET /problems/{slug}: the page behind the `type` of a problem document, for people and for programs. */
const CODES = Object.keys(ERROR_CATALOGUE) as ErrorCode[];
const BY_SLUG: ReadonlyMap<string, ErrorCode> = new Map(CODES.map((code) => [problemSlug(code), code]));

const Params = Type.Object({
  slug: Type.String({ description: 'Last segment of the problem’s `type`.', examples: ['log-mismatch'] }),
});

const ProblemPage = Type.Object(
  {
    type: Type.String(),
    code: Type.String(),
    status: Type.Integer(),
    title: Type.String(),
    hint: Type.String({ description: 'What the caller can do about it.' }),
  },
  { description: 'An entry of the error catalogue.' },
);

export function problemRoutes(app: FastifyInstance): void {
  app.get<{ Params: { slug: string } }>(
    '/problems/:slug',
    {
      config: { action: 'public', produces: [JSON_TYPE, HTML_TYPE] },
      schema: {
        operationId: 'readProblem',
        summary: 'What an error means',
        description:
          'The page behind the `type` of a problem document: a page for browsers, JSON for programs.',
        tags: ['Operation'],
        params: Params,
        response: { 200: ProblemPage },
      },
    },
    (request, reply) => {
      const { slug } = request.params;
      const code = BY_SLUG.get(slug);
      if (code === undefined) throw new StoreError('NOT_FOUND', 'There is no such problem in the catalogue.');
      const { status, title, hint } = ERROR_CATALOGUE[code];
      const vary = ['Vary', 'Accept'];
      if (preferred(request.headers.accept, [JSON_TYPE, HTML_TYPE]) === HTML_TYPE) {
        const security = ['Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'"];
        sendText(reply, 200, `${HTML_TYPE}; charset=utf-8`, page(code), [...vary, ...security]);
      } else {
        sendJson(reply, 200, JSON.stringify({ type: `/problems/${slug}`, code, status, title, hint }), vary);
      }
    },
  );
}

function page(code: ErrorCode): string {
  const { status, title, hint } = ERROR_CATALOGUE[code];
  const others = CODES.map((other) => `<li><a href="/problems/${problemSlug(other)}">${other}</a></li>`).join(
    '',
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${code}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}li{display:inline-block;margin-right:1rem}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p><code>${code}</code>, status ${status}</p>
<p>${escapeHtml(hint)}</p>
<h2>All problems</h2>
<ul>${others}</ul>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
