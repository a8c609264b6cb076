-- Give a restored job some of the runs that were recorded under its id before it was deleted, the newest first.
--
-- Locks:   the job against deletion, then the runs; those that somebody else has locked are passed by.
-- Params:  job text; limit int, the most rows
-- Rows:    id
-- Index:   scheduler_run_of_removed_job; scheduler_run_other_kind; scheduler_run_once_per_fire_time

WITH restored AS MATERIALIZED (
    SELECT job.djangojob_ptr_id AS id
      FROM scheduler_job AS job
     WHERE job.djangojob_ptr_id = %(job)s
       FOR KEY SHARE SKIP LOCKED
)
UPDATE scheduler_run AS run
   SET job_id = restored.id
  FROM restored
 WHERE run.id = ANY(ARRAY(
           SELECT former.id
             FROM scheduler_run AS former
            WHERE former.job_id IS NULL
              AND former.id = ANY(ARRAY(
                      SELECT DISTINCT ON (candidate.scheduled_at, candidate.attempt) candidate.id
                        FROM ((SELECT first.id, first.scheduled_at, first.attempt
                                 FROM scheduler_run AS first
                                WHERE first.job_id IS NULL
                                  AND first.job_key = %(job)s
                                  AND first.attempt = 1
                                  -- Another job with this id has had that fire time since.
                                  AND NOT EXISTS (SELECT 1
                                                    FROM scheduler_run AS own
                                                   WHERE own.job_id = %(job)s
                                                     AND own.scheduled_at = first.scheduled_at
                                                     AND own.attempt = first.attempt)
                                ORDER BY first.scheduled_at DESC
                                LIMIT %(limit)s)
                              UNION ALL
                              (SELECT later.id, later.scheduled_at, later.attempt
                                 FROM scheduler_run AS later
                                WHERE later.job_id IS NULL
                                  AND later.job_key = %(job)s
                                  AND later.kind IN ('manual', 'retry', 'recovery')
                                  AND later.attempt > 1
                                  AND NOT EXISTS (SELECT 1
                                                    FROM scheduler_run AS own
                                                   WHERE own.job_id = %(job)s
                                                     AND own.scheduled_at = later.scheduled_at
                                                     AND own.attempt = later.attempt)
                                LIMIT %(limit)s)) AS candidate
                       ORDER BY candidate.scheduled_at, candidate.attempt, candidate.id DESC))
              FOR NO KEY UPDATE SKIP LOCKED))
RETURNING run.id
