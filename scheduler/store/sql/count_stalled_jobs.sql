-- Count the jobs whose last fire times all passed without a run.
--
-- Locks:   none.
-- Params:  jobs text[] or NULL, of all jobs; fire_times int, how many in a row may pass without a run
-- Rows:    one, the number of jobs
-- Index:   those of stalled_jobs

WITH {stalled_jobs}
SELECT count(*) FROM passed
