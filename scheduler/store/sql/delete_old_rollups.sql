-- Forget hourly roll-ups of long ago.
--
-- Locks:   the rows, until the caller's transaction ends; those that somebody else has locked are skipped.
-- Params:  cutoff timestamptz; limit int, the most rows to delete
-- Rows:    one for each deleted
-- Index:   scheduler_rollup_hour

WITH old AS MATERIALIZED (
    SELECT rollup.job_key, rollup.hour
      FROM scheduler_rollup AS rollup
     WHERE rollup.hour < %(cutoff)s::timestamptz
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
DELETE FROM scheduler_rollup AS rollup
 USING old
 WHERE rollup.job_key = old.job_key
   AND rollup.hour = old.hour
RETURNING 1
