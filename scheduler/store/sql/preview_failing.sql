-- Count how often a job failed so many times in a row in the last days: the incidents of a rule.
--
-- Locks:   none.
-- Params:  scope, target text; threshold int; days int
-- Rows:    one: how often
-- Index:   scheduler_run_unsuccessful; scheduler_run_once_per_fire_time

WITH failing AS MATERIALIZED (
    SELECT DISTINCT run.job_id
      FROM scheduler_run AS run
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
     WHERE run.finished_at >= now() - %(days)s * interval '1 day'
       AND run.error IS NOT NULL
       AND (%(scope)s = 'everything' OR %(scope)s = 'job' AND job.djangojob_ptr_id = %(target)s
        OR %(scope)s = 'task' AND job.task = %(target)s OR %(scope)s = 'queue' AND job.queue = %(target)s
        OR %(scope)s = 'tag' AND %(target)s = ANY(job.tags))
     LIMIT 500
), ended AS (
    SELECT failing.job_id, latest.state,
           count(*) FILTER (WHERE latest.state = 'succeeded')
               OVER (PARTITION BY failing.job_id ORDER BY latest.scheduled_at, latest.attempt) AS streak
      FROM failing
     CROSS JOIN LATERAL (
           SELECT run.state, run.scheduled_at, run.attempt
             FROM scheduler_run AS run
            WHERE run.job_id = failing.job_id
              AND run.scheduled_at >= now() - %(days)s * interval '1 day'
              AND run.state IN ('succeeded', 'failed', 'timed_out', 'interrupted')
              AND NOT EXISTS (SELECT 1
                                FROM scheduler_run AS later
                               WHERE later.job_id = run.job_id
                                 AND later.scheduled_at = run.scheduled_at
                                 AND later.attempt > run.attempt)
            ORDER BY run.scheduled_at DESC, run.attempt DESC
            LIMIT 5000) AS latest
)
SELECT count(*)
  FROM (SELECT ended.job_id, ended.streak
          FROM ended
         WHERE ended.state <> 'succeeded'
         GROUP BY ended.job_id, ended.streak
        HAVING count(*) >= %(threshold)s) AS streaks
