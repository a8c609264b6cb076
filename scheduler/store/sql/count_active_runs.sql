-- Count the active runs of jobs; those that are held aside are told apart.
--
-- Locks:   none; the caller holds the rows of the jobs, so nobody else adds a run meanwhile.
-- Params:  jobs  text[]
-- Rows:    job_id, active, manual ones of them, id and newest fire time of the newest held run that waits for its turn
--          (NULL: none); jobs without an active run are left out
-- Index:   scheduler_run_active_job

SELECT run.job_id,
       count(*) FILTER (WHERE NOT run.held),
       count(*) FILTER (WHERE NOT run.held AND run.kind = 'manual'),
       (array_agg(run.id ORDER BY run.scheduled_at DESC) FILTER (WHERE run.held AND run.kind = 'scheduled'))[1],
       max(run.scheduled_at) FILTER (WHERE run.held AND run.kind = 'scheduled')
  FROM scheduler_run AS run
 WHERE run.job_id = ANY(%(jobs)s::text[])
   AND run.finished_at IS NULL
 GROUP BY run.job_id
