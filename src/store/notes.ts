/** Where upkeep notes what has to be known at the next look, whichever process takes it. */
export const NOTES = '$upkeep';
/** The policy that was set by request. */
export const POLICY = 'retention';
/** When the schedule was last kept to. */
export const SCHEDULE = 'schedule';
export const LAST_BACKUP = 'last-backup';
/** What is true of one log only. A log that is made of another, or set back and named anew, begins without them. */
export const NOTES_OF_ONE_LOG: readonly string[] = [SCHEDULE, LAST_BACKUP];
/** Jobs: work under way belongs to the store that it is done on. */
export const JOBS = '$jobs';
