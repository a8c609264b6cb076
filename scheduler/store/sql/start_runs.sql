-- The start gate: user code begins only for the rows that this returns.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  runs bigint[], node uuid, now timestamptz or NULL
-- Rows:    id
-- Index:   the primary key

UPDATE scheduler_run AS run
   SET state = 'running', started_at = coalesce(%(now)s::timestamptz, clock_timestamp()),
       -- A key that is taken only while its run waits is free from here on.
       unique_key = CASE WHEN run.unique_key IS NOT NULL AND run.policies ->> 'unique_while' = 'queued' THEN NULL
                         ELSE run.unique_key END
 WHERE run.id = ANY(%(runs)s::bigint[])
   AND run.node = %(node)s::uuid
   AND run.state = 'queued'
RETURNING run.id
