-- Detach some of the runs of a job that was deleted, the oldest first, and note how far that came.
--
-- It begins where the last time ended: what was detached leaves entries in the index while a transaction elsewhere is
-- open. Runs that somebody has locked are passed by, and tried again at the end.
--
-- Locks:   the note of the job, which one node at a time has, then the runs; for the length of the statement.
-- Params:  limit int, the most rows
-- Rows:    one for each run, whether it was detached (boolean)
-- Index:   scheduler_run_once_per_fire_time

WITH removed AS MATERIALIZED (
    SELECT note.job_key, coalesce(note.since, '-infinity') AS since, note.again
      FROM scheduler_removed AS note
     WHERE NOT EXISTS (SELECT 1 FROM scheduler_job AS job WHERE job.djangojob_ptr_id = note.job_key)
     ORDER BY note.removed_at, note.job_key
     LIMIT 1
       FOR UPDATE SKIP LOCKED
), found AS MATERIALIZED (
    SELECT own.id, own.scheduled_at
      FROM removed
     CROSS JOIN LATERAL (SELECT present.id, present.scheduled_at
                           FROM scheduler_run AS present
                          WHERE present.job_id = removed.job_key
                            AND present.scheduled_at >= removed.since
                          ORDER BY present.scheduled_at
                          LIMIT %(limit)s) AS own
), detached AS (
    UPDATE scheduler_run AS run
       SET job_id = NULL
     WHERE run.id = ANY(ARRAY(SELECT free.id
                                FROM scheduler_run AS free
                               WHERE free.id = ANY(ARRAY(SELECT found.id FROM found))
                                 FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING run.id
), seen AS MATERIALIZED (
    SELECT count(*) AS number,
           max(found.scheduled_at) AS last,
           min(found.scheduled_at) FILTER (WHERE found.id NOT IN (SELECT detached.id FROM detached)) AS locked
      FROM found
), forgotten AS (
    DELETE FROM scheduler_removed AS note
     USING removed, seen
     WHERE note.job_key = removed.job_key
       AND seen.number < %(limit)s
       AND seen.locked IS NULL
       AND removed.again IS NULL
), noted AS (
    UPDATE scheduler_removed AS note
       SET since = CASE WHEN seen.number < %(limit)s THEN coalesce(removed.again, seen.locked) ELSE seen.last END,
           again = CASE WHEN seen.number < %(limit)s THEN NULL ELSE coalesce(removed.again, seen.locked) END,
           -- Other jobs come first before locked runs are tried again.
           removed_at = CASE WHEN seen.number < %(limit)s THEN clock_timestamp() ELSE note.removed_at END
      FROM removed, seen
     WHERE note.job_key = removed.job_key
       AND (seen.number >= %(limit)s OR seen.locked IS NOT NULL OR removed.again IS NOT NULL)
)
SELECT found.id IN (SELECT detached.id FROM detached)
  FROM found
