-- Cancel runs that wait for their turn behind a job that was deleted.
--
-- Locks:   the rows, for the length of the statement; those that somebody else has locked are passed by.
-- Params:  limit int, the most rows to cancel; now timestamptz or NULL
-- Rows:    id
-- Index:   scheduler_run_held_of_job

UPDATE scheduler_run AS run
   SET state = 'cancelled', reason_code = 'job_deleted', finished_at = coalesce(%(now)s::timestamptz, now())
 WHERE run.id = ANY(ARRAY(SELECT orphan.id
                            FROM scheduler_run AS orphan
                           WHERE orphan.held
                             AND orphan.job_id IS NULL
                             AND orphan.finished_at IS NULL
                           LIMIT %(limit)s
                             FOR UPDATE SKIP LOCKED))
RETURNING run.id
