import { isMainThread } from 'node:worker_threads';

// tsx reads TypeScript on the main thread only; the threads of the service are to read it as well.
if (!isMainThread) (await import('tsx/esm/api')).register();
