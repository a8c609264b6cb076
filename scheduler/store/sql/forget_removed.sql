-- Forget deleted jobs all of whose runs are detached.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  none
-- Rows:    job_key
-- Index:   scheduler_run_once_per_fire_time

DELETE FROM scheduler_removed AS removed
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.job_id = removed.job_key)
RETURNING removed.job_key
