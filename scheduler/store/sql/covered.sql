-- Read the parts of a window that rows of the ledger cover, for one job, which may be deleted.
--
-- Locks:   none.
-- Params:  job text; first, until timestamptz; limit int, the most rows
-- Rows:    from, to (both included); by “to”
-- Index:   scheduler_run_once_per_fire_time; scheduler_run_of_removed_job

SELECT coalesce(run.covers_from, run.scheduled_at), run.scheduled_at
  FROM (SELECT own.covers_from, own.scheduled_at, own.attempt
          FROM scheduler_run AS own
         WHERE own.job_id = %(job)s
         UNION ALL
        SELECT former.covers_from, former.scheduled_at, former.attempt
          FROM scheduler_run AS former
         WHERE former.job_id IS NULL
           AND former.job_key = %(job)s) AS run
 WHERE run.scheduled_at >= %(first)s::timestamptz
   AND coalesce(run.covers_from, run.scheduled_at) <= %(until)s::timestamptz
   AND run.attempt = 1
 ORDER BY run.scheduled_at
 LIMIT %(limit)s
