import type { Test } from 'tap';

/** What tests look at in pages. */
const VOID = new Set(['br', 'hr', 'img', 'input', 'link', 'meta', 'wbr']);

/** Fails unless every element is closed where it has to be, and no id stands twice. */
export function checkHtml(t: Test, page: string, name: string): void {
  const body = page.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '');
  const open: string[] = [];
  for (const [, close, tag = ''] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s[^<>]*)?>/g)) {
    if (VOID.has(tag)) continue;
    if (close === '') open.push(tag);
    else if (open.at(-1) === tag) open.pop();
    else t.fail(`${name}: </${tag}> closes something else`);
  }
  t.same(open, [], `${name} closes every element`);
  t.notMatch(
    body.replace(/<!doctype html>|<\/?[a-z][a-z0-9]*(?:\s[^<>]*)?>/g, ''),
    /[<>]/,
    `${name} has no loose brackets`,
  );
  const ids = [...body.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  t.same(ids, [...new Set(ids)], `${name} has no id twice`);
}

/** The text of a page, as a reader gets it: without markup, with characters instead of references. */
export function textOf(page: string): string {
  return decoded(
    page
      .replace(/<(style|script)>[\s\S]*?<\/\1>/g, '')
      .replace(/<wbr>/g, '')
      .replace(/<[^<>]+>/g, ' '),
  )
    .replace(/\s+/g, ' ')
    .trim();
}

export function decoded(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

/** Would run, break out of an attribute, an element or a template, if it were not escaped. */
export const EVIL = `"'><script>alert(1)</script><img src=x onerror=alert(2)>\`\${3}</style></code>&lt;b&gt;`;

/** Fails where a text of others became markup. */
export function checkHarmless(t: Test, page: string, name: string): void {
  checkHtml(t, page, name);
  t.equal(page.split('<script').length, 2, `${name} has the one script`);
  t.equal(page.split('<style').length, 2, `${name} has the one style sheet`);
  t.notMatch(page, /<img|<b>/, name);
  for (const [tag] of page.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '').matchAll(/<[a-z][^<>]*>/g)) {
    if (/\son\w+=|javascript:/i.test(tag.replace(/"[^"]*"/g, '""'))) t.fail(`${name}: ${tag}`);
  }
}
