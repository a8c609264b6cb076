-- How many runs wait and run, by executor, and how old the oldest that waits is.
--
-- Locks:   none.
-- Params:  none
-- Rows:    executor, queued, running, held, age of the oldest queued run that may start in seconds (NULL: none)
-- Index:   scheduler_run_active_of_job

SELECT run.executor,
       count(*) FILTER (WHERE run.state = 'queued' AND NOT run.held),
       count(*) FILTER (WHERE run.state = 'running'),
       count(*) FILTER (WHERE run.state = 'queued' AND run.held),
       extract(epoch FROM clock_timestamp() - min(run.due_at) FILTER (WHERE run.state = 'queued' AND NOT run.held))::float8
  FROM scheduler_run AS run
 WHERE run.finished_at IS NULL
 GROUP BY run.executor
 ORDER BY run.executor
