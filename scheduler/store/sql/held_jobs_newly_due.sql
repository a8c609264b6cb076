-- The jobs of held runs whose time has come since somebody looked last.
--
-- Locks:   none.
-- Params:  since timestamptz or NULL; limit int, the most runs to look at; now timestamptz or NULL
-- Rows:    job_id, due_at; the oldest first
-- Index:   scheduler_run_held, from “since” on

SELECT run.job_id, run.due_at
  FROM scheduler_run AS run
 WHERE run.held
   AND run.finished_at IS NULL
   AND run.due_at > coalesce(%(since)s::timestamptz, '-infinity')
   AND run.due_at <= coalesce(%(now)s::timestamptz, now())
 ORDER BY run.due_at
 LIMIT %(limit)s
