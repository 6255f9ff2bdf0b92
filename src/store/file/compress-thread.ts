import os from 'node:os';
import { compressSegment } from './compress.ts';
import { type CompressJob, serve } from './thread-jobs.ts';

/** Whoever compresses takes what appends leave of the cores: a tenth of one at least. */
const NICENESS = 10;

/** Compresses a segment; unless it is urgent, with what others leave of the cores. See `second-thread.ts`. */
serve<CompressJob>(async ({ folder, segment, isUrgent }, isStopped) => {
  // On Linux 0 is the thread that calls; elsewhere it would be the whole process.
  if (!isUrgent && process.platform === 'linux') os.setPriority(0, NICENESS);
  return await compressSegment(folder, segment, isStopped);
});
