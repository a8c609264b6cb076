-- Enqueue runs, one for each call of a task, and wake the nodes when the caller's transaction commits.
--
-- Locks:   the rows that it inserts. A unique key that another transaction enqueues just now is waited for.
-- Params:  now timestamptz or NULL; arrays of one length: public_ids uuid[], tasks, args and kwargs (JSON), queues,
--          tracks: text[], priorities int[], run_after timestamptz[], timeouts and lifetimes float8[] (seconds, NULL:
--          none), unique_keys, policies (JSON), requested_by: text[]
-- Rows:    public_id, created_at; a run that is missing has a unique key that waits or runs already
-- Index:   scheduler_run_one_of_a_key

WITH clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, statement_timestamp()) AS now
), inserted AS (
    INSERT INTO scheduler_run ({columns_of_a_run})
    SELECT {enqueued_run}
      FROM clock
     CROSS JOIN LATERAL (
           SELECT given.*, greatest(given.run_after, clock.now) + given.lifetime * interval '1 second' AS expires_at
             FROM unnest(%(public_ids)s::uuid[], %(tasks)s::text[], %(args)s::text[], %(kwargs)s::text[],
                         %(queues)s::text[], %(tracks)s::text[], %(priorities)s::int[], %(run_after)s::timestamptz[],
                         %(timeouts)s::float8[], %(lifetimes)s::float8[], %(unique_keys)s::text[],
                         %(policies)s::text[], %(requested_by)s::text[])
                  WITH ORDINALITY
               AS given (public_id, task, args, kwargs, queue, track, priority, run_after, timeout, lifetime,
                         unique_key, policies, requested_by, place)) AS wanted
     ORDER BY wanted.place
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL DO NOTHING
    RETURNING public_id, created_at
), woken AS MATERIALIZED (
    SELECT pg_notify('scheduler_runs', '')
      FROM (SELECT 1 FROM inserted LIMIT 1) AS any_run
)
SELECT inserted.public_id, inserted.created_at
  FROM inserted
  LEFT JOIN woken ON true
