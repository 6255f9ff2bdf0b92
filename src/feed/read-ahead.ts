/** Asks for the next value while the one before is in use, so that the two overlap. */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const result = await next;
      if (result.done === true) return;
      next = iterator.next();
      // It fails when its turn comes; or nobody is interested any more.
      next.catch(() => undefined);
      yield result.value;
    }
  } finally {
    iterator.return?.().catch(() => undefined);
  }
}
