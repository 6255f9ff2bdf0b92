import { StoreError } from '../errors.ts';
import { compareTimestamps } from '../model/timestamp.ts';
import type { Backend, StoredDocument } from './store.ts';

/** A document may weigh several megabytes; both sides hold one page. */
const PAGE_DOCUMENTS = 16;

/**
 * Gives the target the documents of the source: what is missing or older is written with its revision, what the
 * source no longer has is removed. Gives the number of documents that were written or removed.
 *
 * @throws StoreError LOG_MISMATCH for a document that is newer in the target.
 */
export async function copyDocuments(
  from: Backend,
  to: Backend,
  { signal, writtenUntil }: { signal: AbortSignal; writtenUntil?: string | undefined },
): Promise<number> {
  const collections = new Set([...(await from.collections()), ...(await to.collections())]);
  // Work under way belongs to the store that it is done on.
  collections.delete('$jobs');
  let changed = 0;
  for (const collection of collections) {
    const sources = pager(from, collection, writtenUntil);
    const targets = pager(to, collection);
    let source = await sources.next();
    let target = await targets.next();
    while (source !== undefined || target !== undefined) {
      signal.throwIfAborted();
      const order = compareKeys(source, target);
      if (order > 0 && target !== undefined) {
        await remove(to, target);
        changed += 1;
      } else if (source !== undefined && (order < 0 || !isSame(source, target))) {
        if (order === 0) refuseNewer(source, target);
        await to.load({ events: [], documents: [source] });
        changed += 1;
      }
      if (order <= 0) source = await sources.next();
      if (order >= 0) target = await targets.next();
    }
  }
  return changed;
}

/** One document after the other, in order of their keys; without those that were written later. */
function pager(
  backend: Backend,
  collection: string,
  writtenUntil?: string,
): { next(): Promise<StoredDocument | undefined> } {
  let page: StoredDocument[] = [];
  let at = 0;
  let from = '';
  let isEnd = false;
  const isLater = (document: StoredDocument | undefined) =>
    document !== undefined &&
    writtenUntil !== undefined &&
    compareTimestamps(document.updatedAt, writtenUntil) > 0;
  const pages = {
    async next(): Promise<StoredDocument | undefined> {
      if (at >= page.length && !isEnd) {
        page = await backend.documents({ collection, from, limit: PAGE_DOCUMENTS });
        at = 0;
        isEnd = page.length < PAGE_DOCUMENTS;
        // The least text that comes after a key.
        from = `${page.at(-1)?.key ?? ''}\u0001`;
      }
      const document = page[at];
      at += 1;
      return isLater(document) ? await pages.next() : document;
    },
  };
  return pages;
}

/** By code points, as documents are listed; an absent one comes last. */
function compareKeys(a: StoredDocument | undefined, b: StoredDocument | undefined): number {
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  return Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
}

function isSame(a: StoredDocument, b: StoredDocument | undefined): boolean {
  return a.revision === b?.revision && a.updatedAt === b.updatedAt && a.body === b.body;
}

function refuseNewer(source: StoredDocument, target: StoredDocument | undefined): void {
  if (target === undefined || target.updatedAt <= source.updatedAt) return;
  throw new StoreError(
    'LOG_MISMATCH',
    `The target was written to by others: its document ${target.collection}/${target.key} is newer than that of the source.`,
  );
}

async function remove(to: Backend, { collection, key, revision }: StoredDocument): Promise<void> {
  const write = { collection, key, expectedRevision: revision, body: null };
  const { verdicts } = await to.append([{ events: [], checks: [], writes: [write] }]);
  if (verdicts[0]?.kind === 'stored') return;
  throw new StoreError(
    'LOG_MISMATCH',
    `The document ${collection}/${key} of the target was written meanwhile.`,
  );
}
