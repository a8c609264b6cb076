-- Go through the jobs that have held runs, by id, and say which of them have room for one that may start by now.
--
-- Locks:   none.
-- Params:  after text, the id to go on from; limit int, the most jobs to look at; now timestamptz or NULL
-- Rows:    job_id, has_room; by id
-- Index:   scheduler_run_held_of_job: one entry for each job, however many runs it holds; scheduler_run_active_of_job

WITH RECURSIVE holding (job_id, place) AS (
    (SELECT run.job_id, 1
       FROM scheduler_run AS run
      WHERE run.held
        AND run.finished_at IS NULL
        AND run.job_id > %(after)s
      ORDER BY run.job_id
      LIMIT 1)
     UNION ALL
    SELECT following.job_id, holding.place + 1
      FROM holding
     CROSS JOIN LATERAL (SELECT run.job_id
                           FROM scheduler_run AS run
                          WHERE run.held
                            AND run.finished_at IS NULL
                            AND run.job_id > holding.job_id
                          ORDER BY run.job_id
                          LIMIT 1) AS following
     WHERE holding.place < %(limit)s
)
SELECT holding.job_id,
       coalesce((SELECT count(*)
                   FROM scheduler_run AS active
                  WHERE active.job_id = holding.job_id
                    AND NOT active.held
                    AND active.finished_at IS NULL) < job.max_instances, false)
       AND EXISTS (SELECT 1
                     FROM scheduler_run AS held
                    WHERE held.job_id = holding.job_id
                      AND held.held
                      AND held.finished_at IS NULL
                      AND held.due_at <= coalesce(%(now)s::timestamptz, now())
                    LIMIT 1)
  FROM holding
  LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = holding.job_id
 ORDER BY holding.job_id
