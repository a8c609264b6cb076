-- A success ends the count of failures in a row.
--
-- Locks:   the rows of the jobs, for the length of the statement.
-- Params:  runs bigint[], runs that were just recorded
-- Rows:    none
-- Index:   scheduler_job_failing, which is short

UPDATE scheduler_job AS job
   SET consecutive_failures = 0
 WHERE job.consecutive_failures > 0
   AND EXISTS (SELECT 1
                 FROM scheduler_run AS run
                WHERE run.id = ANY(%(runs)s::bigint[])
                  AND run.job_id = job.djangojob_ptr_id
                  AND run.state = 'succeeded')
