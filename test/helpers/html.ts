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
