-- Queue the next attempt of failed runs. Held: it starts when it is due and its job has room.
--
-- Locks:   the rows that it inserts.
-- Params:  arrays of one length: runs bigint[], delays float8[] (seconds); now timestamptz or NULL
-- Rows:    previous_id
-- Index:   scheduler_run_once_per_fire_time

INSERT INTO scheduler_run ({columns_of_a_run})
SELECT {further_attempt}
  FROM (SELECT failed.id, 'retry' AS kind, true AS held, coalesce(%(now)s::timestamptz, clock_timestamp()) AS at,
               coalesce(%(now)s::timestamptz, clock_timestamp()) + failed.delay * interval '1 second' AS due_at
          FROM unnest(%(runs)s::bigint[], %(delays)s::float8[]) AS failed (id, delay)) AS again
  JOIN scheduler_run AS run ON run.id = again.id
    ON CONFLICT (job_id, scheduled_at, attempt) DO NOTHING
RETURNING previous_id
