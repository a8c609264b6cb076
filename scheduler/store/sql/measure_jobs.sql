-- Count the jobs by state.
--
-- Locks:   none.
-- Params:  none
-- Rows:    state, jobs
-- Index:   scheduler_job_state

SELECT job.state, count(*)
  FROM scheduler_job AS job
 GROUP BY job.state
