-- Name the waiting runs of an executor, by values that any program can read.
--
-- Locks:   none.
-- Params:  executor text, tasks text[], limit int, now timestamptz or NULL
-- Rows:    id; highest priority first, then the oldest
-- Index:   scheduler_run_waiting

SELECT waiting.id
  FROM scheduler_run AS waiting
 WHERE waiting.executor = %(executor)s
   AND waiting.node IS NULL
   AND waiting.finished_at IS NULL
   AND NOT waiting.held
   AND waiting.due_at <= coalesce(%(now)s::timestamptz, now())
   AND waiting.task = ANY(%(tasks)s::text[])
 ORDER BY waiting.priority DESC, waiting.due_at, waiting.id
 LIMIT %(limit)s
