-- Count final failures of jobs, and find those that reached their limit.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends; it holds their parent rows.
-- Params:  jobs text[], one entry for each failure
-- Rows:    id of each job that is to be paused, and how many failures in a row it had
-- Index:   the primary keys

WITH counted AS (
    UPDATE scheduler_job AS job
       SET consecutive_failures = least(job.consecutive_failures + failed.count, 2147483647)
      FROM (SELECT failure.id, count(*) AS count FROM unnest(%(jobs)s::text[]) AS failure (id) GROUP BY failure.id) AS failed
     WHERE job.djangojob_ptr_id = failed.id
    RETURNING job.djangojob_ptr_id AS id, job.consecutive_failures, job.state = 'active'
              AND job.consecutive_failures >= job.pause_after_failures AS is_over
)
SELECT counted.id, counted.consecutive_failures
  FROM counted
 WHERE counted.is_over
