/** Where upkeep notes what has to be known at the next look, whichever process takes it. */
export const NOTES = '$upkeep';
/** The policy that was set by request. */
export const POLICY = 'retention';
/** When the schedule was last kept to. */
export const SCHEDULE = 'schedule';
export const LAST_BACKUP = 'last-backup';
