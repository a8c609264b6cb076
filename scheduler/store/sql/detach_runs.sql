-- Detach some of the runs of jobs that were deleted.
--
-- Locks:   the rows, for the length of the statement; those that somebody else has locked are passed by.
-- Params:  limit int, the most rows
-- Rows:    id
-- Index:   scheduler_run_once_per_fire_time

UPDATE scheduler_run AS run
   SET job_id = NULL
 WHERE run.id = ANY(ARRAY(SELECT own.id
                            FROM (SELECT removed.job_key
                                    FROM scheduler_removed AS removed
                                   WHERE NOT EXISTS (SELECT 1
                                                       FROM scheduler_job AS job
                                                      WHERE job.djangojob_ptr_id = removed.job_key)
                                   ORDER BY removed.removed_at
                                   LIMIT 10) AS gone
                           CROSS JOIN LATERAL (SELECT run.id
                                                 FROM scheduler_run AS run
                                                WHERE run.job_id = gone.job_key
                                                LIMIT %(limit)s
                                                  FOR NO KEY UPDATE SKIP LOCKED) AS own
                           LIMIT %(limit)s))
RETURNING run.id
