/** A block of code in a document. */
export interface DocumentBlock {
  readonly language: string;
  readonly code: string;
  readonly line: number;
}

export function blocksOf(markdown: string): DocumentBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = '', 2: code = '', index }) => ({
      language,
      code,
      line: markdown.slice(0, index).split('\n').length,
    }),
  );
}

/** What a block promises to write, in lines `# → text`. */
export function promisesOf({ code }: Pick<DocumentBlock, 'code'>): string[] {
  return [...code.matchAll(/^# → (.*)$/gm)].map(([, promised = '']) => promised);
}
