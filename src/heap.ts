import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 allocate everything among the young objects.
 *
 * Where objects of one place in the code have outlived some collections it makes the next ones old at once, and goes on so
 * for as long as the program runs. Lists of events that are kept for a moment are such a place: a list that is dropped a
 * millisecond later is old garbage then, and as old garbage is only found by a full collection, all that it names, with
 * every text in it, is moved to the old objects too. Full collections came every second, and
 * requests waited for them (`npm run bench -- --only append-tail`).
 */
export function keepYoungObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
