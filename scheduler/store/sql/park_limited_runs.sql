-- Take runs that wait for a limit out of the queue: due much later, and behind all others, so that they cost others
-- nothing. They are put back when they are granted.
--
-- Locks:   the rows, which the caller has locked.
-- Params:  runs bigint[], node uuid, seconds float8: due so much later in any case; now timestamptz or NULL
-- Rows:    id
-- Index:   the primary keys

UPDATE scheduler_run AS run
   SET node = NULL,
       due_at = coalesce(%(now)s::timestamptz, now()) + %(seconds)s * interval '1 second',
       priority = -32768,
       reason_code = 'waits_for_limit',
       reason_params = jsonb_build_object('limit', limited.label, 'priority', limited.priority)
  FROM scheduler_limited_run AS limited
 WHERE run.id = ANY(%(runs)s::bigint[])
   AND run.node = %(node)s::uuid
   AND run.state = 'queued'
   AND limited.run = run.id
RETURNING run.id
