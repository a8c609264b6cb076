-- Count the stretches of the last days without a success of a job, as long as given: by the hour, as roll-ups are.
--
-- Locks:   none.
-- Params:  scope, target text; seconds float8; days int
-- Rows:    one: how many
-- Index:   the primary key of scheduler_rollup

WITH watched AS MATERIALIZED (
    SELECT job.djangojob_ptr_id AS id, greatest(job.created_at, now() - %(days)s * interval '1 day') AS since
      FROM scheduler_job AS job
     WHERE job.state IN ('active', 'broken')
       AND (%(scope)s = 'everything' OR %(scope)s = 'job' AND job.djangojob_ptr_id = %(target)s
        OR %(scope)s = 'task' AND job.task = %(target)s OR %(scope)s = 'queue' AND job.queue = %(target)s
        OR %(scope)s = 'tag' AND %(target)s = ANY(job.tags))
     LIMIT 2000
), successes AS (
    SELECT watched.id, watched.since AS at FROM watched
     UNION ALL
    SELECT watched.id, rollup.hour
      FROM watched
      JOIN scheduler_rollup AS rollup ON rollup.job_key = watched.id
     WHERE rollup.hour >= watched.since
       AND rollup.succeeded > 0
     UNION ALL
    SELECT watched.id, now() FROM watched
)
SELECT count(*)
  FROM (SELECT successes.at - lag(successes.at) OVER (PARTITION BY successes.id ORDER BY successes.at) AS gap
          FROM successes) AS gaps
 WHERE gaps.gap > %(seconds)s * interval '1 second'
