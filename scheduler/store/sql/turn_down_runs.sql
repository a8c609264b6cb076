-- Note that a worker turned waiting runs of remote executors down. They are rung again: as soon as their queue and their
-- time allow it, or as late as after a lost message if the reason lies with the worker.
--
-- Locks:   the rows, for the length of the statement; those that somebody else has locked are passed by.
-- Params:  arrays of one length: runs bigint[], attempts int[]; node uuid of the worker, tasks text[], those that it knows;
--          reason_code text of a release without the task; at_once boolean: another worker may take the runs now; now
--          timestamptz or NULL
-- Rows:    id, the task that the worker lacks; of such runs alone
-- Index:   the primary keys

WITH found AS MATERIALIZED (
    SELECT waiting.id, NOT waiting.task = ANY(%(tasks)s::text[]) AS lacks_task,
           coalesce((SELECT worker.name FROM scheduler_node AS worker WHERE worker.id = %(node)s::uuid), '?') AS worker,
           waiting.due_at > coalesce(%(now)s::timestamptz, clock_timestamp())
           OR EXISTS (SELECT 1
                        FROM scheduler_queue AS queue
                       WHERE queue.name = waiting.queue
                         AND queue.paused_at IS NOT NULL
                         AND (queue.paused_until IS NULL
                              OR queue.paused_until > coalesce(%(now)s::timestamptz, clock_timestamp())))
           AS has_to_wait
      FROM unnest(%(runs)s::bigint[], %(attempts)s::int[]) AS ring (run, attempt)
      JOIN scheduler_run AS waiting ON waiting.id = ring.run
     WHERE waiting.attempt = ring.attempt
       AND waiting.state = 'queued'
       AND num_nulls(waiting.node, waiting.finished_at) = 2
       AND strpos(waiting.executor, ':') > 0
     ORDER BY waiting.id
       FOR UPDATE OF waiting SKIP LOCKED
), noted AS (
    UPDATE scheduler_run AS run
       SET rung_at = CASE WHEN %(at_once)s OR found.has_to_wait THEN NULL ELSE run.rung_at END,
           reason_code = CASE WHEN found.lacks_task THEN %(reason_code)s ELSE run.reason_code END,
           reason_params = CASE WHEN found.lacks_task
                                THEN jsonb_build_object('task', run.task, 'worker', found.worker)
                                ELSE run.reason_params END
      FROM found
     WHERE run.id = found.id
    RETURNING run.id, run.task, found.lacks_task
)
SELECT noted.id, noted.task FROM noted WHERE noted.lacks_task
