-- Cancel runs that wait for their turn behind a job that was deleted.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  now timestamptz or NULL
-- Rows:    id
-- Index:   scheduler_run_held

UPDATE scheduler_run AS run
   SET state = 'cancelled', reason_code = 'job_deleted', finished_at = coalesce(%(now)s::timestamptz, now())
 WHERE run.held
   AND run.job_id IS NULL
   AND run.finished_at IS NULL
RETURNING run.id
