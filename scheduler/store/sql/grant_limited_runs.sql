-- Grant runs their starts, and put those that waited, or start later, into the queue for that time.
--
-- Locks:   the rows, which the caller has locked.
-- Params:  arrays of one length: runs bigint[], seconds float8[] from now; owned bigint[]: these start at once and stay
--          with their node; now timestamptz or NULL
-- Rows:    none
-- Index:   the primary keys

WITH granted AS (
    UPDATE scheduler_limited_run AS limited
       SET granted_at = coalesce(%(now)s::timestamptz, now()) + chosen.seconds * interval '1 second'
      FROM unnest(%(runs)s::bigint[], %(seconds)s::float8[]) AS chosen (run, seconds)
     WHERE limited.run = chosen.run
    RETURNING limited.run, limited.priority, limited.granted_at
)
UPDATE scheduler_run AS run
   SET node = NULL, due_at = granted.granted_at, priority = granted.priority, reason_code = '', reason_params = NULL
  FROM granted
 WHERE run.id = granted.run
   AND run.finished_at IS NULL
   AND run.state = 'queued'
   AND run.id <> ALL(%(owned)s::bigint[])
