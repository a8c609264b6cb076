-- Count the active runs of jobs, waiting ones that are held aside.
--
-- Locks:   none; the caller holds the rows of the jobs, so nobody else adds a run meanwhile.
-- Params:  jobs  text[]
-- Rows:    job_id, count; jobs without an active run are left out
-- Index:   scheduler_run_active_job

SELECT run.job_id, count(*)
  FROM scheduler_run AS run
 WHERE run.job_id = ANY(%(jobs)s::text[])
   AND run.finished_at IS NULL
   AND NOT run.held
 GROUP BY run.job_id
