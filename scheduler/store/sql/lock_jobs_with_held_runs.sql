-- Lock the jobs that have held runs which may start by now.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends.
-- Params:  now timestamptz or NULL
-- Rows:    id
-- Index:   scheduler_run_held

SELECT parent.id
  FROM django_apscheduler_djangojob AS parent
 WHERE parent.id IN (SELECT run.job_id
                       FROM scheduler_run AS run
                      WHERE run.held
                        AND run.finished_at IS NULL
                        AND run.due_at <= coalesce(%(now)s::timestamptz, now()))
 ORDER BY parent.id
   FOR UPDATE SKIP LOCKED
