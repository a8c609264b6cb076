-- Make waiting runs this node's own: highest priority first, then the oldest. A line that is read from a place in it is
-- read by take_enqueued_runs.
--
-- Locks:   the rows that it takes; those that another node is taking are skipped.
-- Params:  only bigint[] or NULL: take no others; node uuid, executor text, tasks text[], limit int, now timestamptz or NULL
-- Rows:    id, job_id, job_name, task, args, kwargs, scheduled_at, attempt, executor, timeout, job_key, public_id,
--          policies, priority, due_at; in that order
-- Index:   scheduler_run_waiting

-- Materialized: a plan that read it twice would take twice as many.
WITH chosen AS MATERIALIZED (
    SELECT waiting.id
      FROM scheduler_run AS waiting
     WHERE waiting.executor = %(executor)s
       AND waiting.node IS NULL
       AND waiting.finished_at IS NULL
       AND NOT waiting.held
       AND waiting.due_at <= coalesce(%(now)s::timestamptz, now())
       AND waiting.task = ANY(%(tasks)s::text[])
       AND (%(only)s::bigint[] IS NULL OR waiting.id = ANY(%(only)s::bigint[]))
     ORDER BY waiting.priority DESC, waiting.due_at, waiting.id
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE scheduler_run AS run
       SET node = %(node)s::uuid
      FROM chosen
     WHERE run.id = chosen.id
    RETURNING run.*
)
SELECT taken.id, taken.job_id, taken.job_name, taken.task, taken.args::text, taken.kwargs::text, taken.scheduled_at,
       taken.attempt, taken.executor, taken.timeout AS timeout_seconds, taken.job_key, taken.public_id::text,
       taken.policies::text, taken.priority, taken.due_at
  FROM taken
 ORDER BY taken.priority DESC, taken.due_at, taken.id
