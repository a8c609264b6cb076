-- Make waiting runs this node's own: highest priority first, then the oldest.
--
-- Locks:   the rows that it takes; those that another node is taking are skipped.
-- Params:  node uuid, executor text, tasks text[], limit int, now timestamptz or NULL
-- Rows:    id, job_id, job_name, task, args, kwargs, scheduled_at, attempt, executor, timeout
-- Index:   scheduler_run_waiting

UPDATE scheduler_run AS run
   SET node = %(node)s::uuid
  FROM (SELECT waiting.id
          FROM scheduler_run AS waiting
         WHERE waiting.executor = %(executor)s
           AND waiting.node IS NULL
           AND waiting.finished_at IS NULL
           AND NOT waiting.held
           AND waiting.due_at <= coalesce(%(now)s::timestamptz, now())
           AND waiting.task = ANY(%(tasks)s::text[])
         ORDER BY waiting.priority DESC, waiting.due_at, waiting.id
         LIMIT %(limit)s
           FOR UPDATE SKIP LOCKED) AS chosen
 WHERE run.id = chosen.id
RETURNING run.id, run.job_id, run.job_name, run.task, run.args::text, run.kwargs::text, run.scheduled_at, run.attempt,
          run.executor, run.timeout
