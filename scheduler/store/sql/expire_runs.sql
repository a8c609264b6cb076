-- Miss runs that expired while they waited.
--
-- Locks:   the rows, until the caller's transaction ends; those that a node takes just now are passed by.
-- Params:  limit int, the most rows; now timestamptz or NULL
-- Rows:    id, task, result_id
-- Index:   scheduler_run_to_expire

UPDATE scheduler_run AS run
   SET state = 'missed', reason_code = 'expired', held = false,
       reason_params = jsonb_build_object('until', to_char(run.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
       finished_at = coalesce(%(now)s::timestamptz, clock_timestamp())
 WHERE run.id = ANY(ARRAY(SELECT late.id
                            FROM scheduler_run AS late
                           WHERE late.expires_at <= coalesce(%(now)s::timestamptz, now())
                             AND late.node IS NULL
                             AND late.finished_at IS NULL
                             AND late.state = 'queued'
                           ORDER BY late.expires_at
                           LIMIT %(limit)s
                             FOR UPDATE SKIP LOCKED))
RETURNING run.id, run.task, run.public_id::text AS result_id
