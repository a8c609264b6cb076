-- Queue the next attempt of failed runs. Held: it starts when it is due and its job has room. That of an enqueued run,
-- which has no job, waits in its queue.
--
-- Locks:   the rows that it inserts.
-- Params:  arrays of one length: runs bigint[], delays float8[] (seconds); now timestamptz or NULL
-- Rows:    previous_id
-- Index:   scheduler_run_once_per_fire_time; scheduler_run_enqueued_once_per_attempt

INSERT INTO scheduler_run (
       job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, covers_from, kind, attempt, state, reason,
       executor, priority, held, node, coalesced, previous_id, requested_by, created_at, traceback, log, timeout,
       queue, public_id, unique_key, policies)
SELECT run.job_id, run.job_key, run.job_name, run.task, run.args, run.kwargs, run.scheduled_at,
       coalesce(%(now)s::timestamptz, clock_timestamp()) + failed.delay * interval '1 second', run.covers_from, 'retry',
       least(run.attempt, 32766) + 1, 'queued', '', run.executor, run.priority, run.public_id IS NULL, NULL, run.coalesced, run.id, run.requested_by,
       coalesce(%(now)s::timestamptz, clock_timestamp()), '', '', run.timeout,
       run.queue, run.public_id, run.unique_key, run.policies
  FROM unnest(%(runs)s::bigint[], %(delays)s::float8[]) AS failed (id, delay)
  JOIN scheduler_run AS run ON run.id = failed.id
    ON CONFLICT DO NOTHING
RETURNING previous_id
