/**
 * A statement on its way: text with numbered binds. Values never enter the text.
 */
export class Statement {
  readonly values: unknown[] = [];
  readonly #numbers = new Map<unknown, string>();

  /** `$n` for a value, with a cast where the type cannot be inferred. Equal scalars share a number. */
  bind(value: unknown, cast = ''): string {
    const key = typeof value === 'object' ? value : `${cast}:${String(value)}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known + cast;
    this.values.push(value);
    const number = `$${this.values.length}`;
    this.#numbers.set(key, number);
    return number + cast;
  }
}
