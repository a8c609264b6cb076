-- Read the retry policies of the jobs of failed runs.
--
-- Locks:   none that the caller does not hold already.
-- Params:  runs bigint[]
-- Rows:    id, job_id, attempt, max_retries, retry_delay, retry_backoff, retry_delay_cap, retry_jitter; runs of
--          deleted jobs are left out
-- Index:   the primary keys

SELECT run.id, run.job_id, run.attempt, job.max_retries, job.retry_delay, job.retry_backoff, job.retry_delay_cap,
       job.retry_jitter
  FROM scheduler_run AS run
  JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
 WHERE run.id = ANY(%(runs)s::bigint[])
