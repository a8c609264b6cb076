-- End the failures in a row of jobs that succeeded before they failed again in the same batch.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends; it holds their parent rows.
-- Params:  runs bigint[] and succeeded bigint[], successes and when they ended; jobs text[] and failed bigint[], final
--          failures and when they ended, by the same clock
-- Rows:    id, job_id, ended of each success that a failure of its job follows
-- Index:   the primary keys

WITH followed AS MATERIALIZED (
    SELECT success.id, run.job_id, success.ended
      FROM unnest(%(runs)s::bigint[], %(succeeded)s::bigint[]) AS success (id, ended)
      JOIN scheduler_run AS run ON run.id = success.id
     WHERE success.ended < (
               SELECT max(failure.ended)
                 FROM unnest(%(jobs)s::text[], %(failed)s::bigint[]) AS failure (job_id, ended)
                WHERE failure.job_id = run.job_id)
), streak AS (
    UPDATE scheduler_job AS job
       SET consecutive_failures = 0
      FROM (SELECT DISTINCT followed.job_id FROM followed) AS ended
     WHERE job.djangojob_ptr_id = ended.job_id
       AND job.consecutive_failures > 0
)
SELECT followed.id, followed.job_id, followed.ended
  FROM followed
