-- Queue the next attempt of failed runs. Held: it starts when it is due and its job has room. That of an enqueued run,
-- which has no job, waits in its queue.
--
-- Locks:   the rows that it inserts.
-- Params:  arrays of one length: runs bigint[], delays float8[] (seconds); now timestamptz or NULL
-- Rows:    previous_id
-- Index:   scheduler_run_once_per_fire_time; scheduler_run_enqueued_once_per_attempt

INSERT INTO scheduler_run ({columns_of_a_run})
SELECT {further_attempt}
  FROM (SELECT failed.id, 'retry' AS kind, former.public_id IS NULL AS held,
               coalesce(%(now)s::timestamptz, clock_timestamp()) AS at,
               coalesce(%(now)s::timestamptz, clock_timestamp()) + failed.delay * interval '1 second' AS due_at
          FROM unnest(%(runs)s::bigint[], %(delays)s::float8[]) AS failed (id, delay)
          JOIN scheduler_run AS former ON former.id = failed.id) AS again
  JOIN scheduler_run AS run ON run.id = again.id
    ON CONFLICT DO NOTHING
RETURNING previous_id
