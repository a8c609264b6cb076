-- What rows of the ledger cover of a window of fire times of one job.
--
-- Locks:   none.
-- Params:  job text; first, until timestamptz; limit int, the most rows
-- Rows:    from, to (both included); by “to”
-- Index:   scheduler_run_once_per_fire_time

SELECT coalesce(run.covers_from, run.scheduled_at), run.scheduled_at
  FROM scheduler_run AS run
 WHERE run.job_id = %(job)s
   AND run.attempt = 1
   AND run.scheduled_at >= %(first)s::timestamptz
   AND coalesce(run.covers_from, run.scheduled_at) <= %(until)s::timestamptz
 ORDER BY run.scheduled_at
 LIMIT %(limit)s
