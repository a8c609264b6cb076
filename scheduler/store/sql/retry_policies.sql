-- Read the retry policies of the jobs of failed runs, and those that enqueued runs have themselves.
--
-- Locks:   none that the caller does not hold already.
-- Params:  runs bigint[]
-- Rows:    id, job_id (NULL: enqueued), attempt, max_retries, retry_delay, retry_backoff, retry_delay_cap, retry_jitter;
--          runs of deleted jobs are left out
-- Index:   the primary keys

SELECT run.id, run.job_id, run.attempt,
       coalesce(job.max_retries, (run.policies ->> 'max_retries')::int, 0),
       coalesce(job.retry_delay, (run.policies ->> 'retry_delay')::float8, 0),
       coalesce(job.retry_backoff, (run.policies ->> 'retry_backoff')::float8, 1),
       coalesce(job.retry_delay_cap, (run.policies ->> 'retry_delay_cap')::float8, 0),
       coalesce(job.retry_jitter, (run.policies ->> 'retry_jitter')::float8, 0)
  FROM scheduler_run AS run
  LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
 WHERE run.id = ANY(%(runs)s::bigint[])
   AND (job.djangojob_ptr_id IS NOT NULL OR run.public_id IS NOT NULL)
