-- The jobs of these runs that have held runs which may start by now.
--
-- Locks:   none.
-- Params:  runs bigint[]; now timestamptz or NULL
-- Rows:    job_id
-- Index:   the primary key; scheduler_run_held_of_job, one entry for each job

SELECT DISTINCT run.job_id
  FROM scheduler_run AS run
 CROSS JOIN LATERAL (SELECT 1
                       FROM scheduler_run AS held
                      WHERE held.job_id = run.job_id
                        AND held.held
                        AND held.finished_at IS NULL
                        AND held.due_at <= coalesce(%(now)s::timestamptz, now())
                      ORDER BY held.priority DESC, held.due_at, held.id
                      LIMIT 1) AS waiting
 WHERE run.id = ANY(%(runs)s::bigint[])
