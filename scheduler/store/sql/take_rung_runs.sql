-- The start gate of workers: make runs of remote executors this worker's own, and running. Those of tasks with limits stay
-- queued, until they let them start.
--
-- Locks:   the rows, in the order of id, until the caller's transaction ends.
-- Params:  arrays of one length: runs bigint[], attempts int[]; node uuid; tasks text[], those that the worker knows;
--          limited text[], those of them with limits; now timestamptz or NULL
-- Rows:    id, job_id, job_name, task, args, kwargs, scheduled_at, attempt, executor (without the queue), timeout,
--          job_key, public_id, policies; in that order. A run without a row: it is not this worker's turn, and no body of
--          it may begin
-- Index:   the primary keys

UPDATE scheduler_run AS run
   SET node = %(node)s::uuid,
       state = CASE WHEN run.task = ANY(%(limited)s::text[]) THEN 'queued' ELSE 'running' END,
       started_at = CASE WHEN run.task = ANY(%(limited)s::text[]) THEN NULL
                         ELSE coalesce(%(now)s::timestamptz, clock_timestamp()) END,
       reason_code = CASE WHEN run.reason_code = 'worker_lacks_task' THEN '' ELSE run.reason_code END,
       reason_params = CASE WHEN run.reason_code = 'worker_lacks_task' THEN NULL ELSE run.reason_params END,
       -- A key that is taken only while its run waits is free from here on.
       unique_key = CASE WHEN run.unique_key IS NOT NULL AND run.policies ->> 'unique_while' = 'queued'
                              AND NOT run.task = ANY(%(limited)s::text[]) THEN NULL
                         ELSE run.unique_key END
 WHERE run.id = ANY(ARRAY(
       SELECT run.id
         FROM unnest(%(runs)s::bigint[], %(attempts)s::int[]) AS ring (run, attempt)
         JOIN scheduler_run AS run ON run.id = ring.run
        WHERE run.attempt = ring.attempt
          AND run.state = 'queued'
          AND run.node IS NULL
          AND NOT run.held
          AND run.due_at <= coalesce(%(now)s::timestamptz, clock_timestamp())
          AND (run.expires_at IS NULL OR run.expires_at > coalesce(%(now)s::timestamptz, clock_timestamp()))
          AND run.task = ANY(%(tasks)s::text[])
          AND NOT EXISTS (SELECT 1
                            FROM scheduler_queue AS queue
                           WHERE queue.name = run.queue
                             AND queue.paused_at IS NOT NULL
                             AND (queue.paused_until IS NULL
                                  OR queue.paused_until > coalesce(%(now)s::timestamptz, clock_timestamp())))
          -- A worker that was taken for dead begins nothing, and runs of nodes or of another kind of workers are not its own.
          AND EXISTS (SELECT 1
                        FROM scheduler_node AS worker
                       WHERE worker.id = %(node)s::uuid
                         AND worker.state = 'running'
                         AND worker.kind = split_part(run.executor, ':', 1))
        ORDER BY run.id
          FOR UPDATE OF run))
RETURNING run.id, run.job_id, run.job_name, run.task, run.args::text, run.kwargs::text, run.scheduled_at, run.attempt,
          split_part(run.executor, '@', 1) AS executor, run.timeout AS timeout_seconds, run.job_key,
          run.public_id::text, run.policies::text
