-- Note that a worker turned a waiting run of a remote executor down. It is rung again: as soon as its queue and its time
-- allow it, or as late as after a lost message if the reason lies with the worker.
--
-- Locks:   the row, for the length of the statement; if somebody else has locked it, it is passed by.
-- Params:  run bigint, attempt int, node uuid of the worker, tasks text[], those that it knows; reason_code text of a
--          release without the task; at_once boolean: another worker may take the run now; now timestamptz or NULL
-- Rows:    the task if the worker lacks it, or NULL; no row: the run waits no longer
-- Index:   the primary keys

UPDATE scheduler_run AS run
   SET rung_at = CASE WHEN %(at_once)s OR found.has_to_wait THEN NULL ELSE run.rung_at END,
       reason_code = CASE WHEN found.lacks_task THEN %(reason_code)s ELSE run.reason_code END,
       reason_params = CASE WHEN found.lacks_task
                            THEN jsonb_build_object('task', run.task, 'worker', found.worker)
                            ELSE run.reason_params END
  FROM (SELECT waiting.id, NOT waiting.task = ANY(%(tasks)s::text[]) AS lacks_task,
               coalesce((SELECT worker.name FROM scheduler_node AS worker WHERE worker.id = %(node)s::uuid), '?') AS worker,
               waiting.due_at > coalesce(%(now)s::timestamptz, clock_timestamp())
               OR EXISTS (SELECT 1
                            FROM scheduler_queue AS queue
                           WHERE queue.name = waiting.queue
                             AND queue.paused_at IS NOT NULL
                             AND (queue.paused_until IS NULL
                                  OR queue.paused_until > coalesce(%(now)s::timestamptz, clock_timestamp())))
               AS has_to_wait
          FROM scheduler_run AS waiting
         WHERE waiting.id = %(run)s::bigint
           AND waiting.attempt = %(attempt)s::int
           AND waiting.state = 'queued'
           AND num_nulls(waiting.node, waiting.finished_at) = 2
           AND strpos(waiting.executor, ':') > 0
           FOR UPDATE OF waiting SKIP LOCKED) AS found
 WHERE run.id = found.id
RETURNING CASE WHEN found.lacks_task THEN run.task END
