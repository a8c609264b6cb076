-- Enqueue runs, one for each call of a task, and wake the nodes when the caller's transaction commits.
--
-- Locks:   the rows that it inserts. A unique key that another transaction enqueues just now is waited for.
-- Params:  now timestamptz or NULL; arrays of one length: public_ids uuid[], tasks, args and kwargs (JSON), queues,
--          tracks: text[], priorities int[], run_after timestamptz[], timeouts and lifetimes float8[] (seconds, NULL:
--          none), unique_keys, policies (JSON), requested_by: text[]
-- Rows:    one: when the runs were enqueued, and the ids of those whose unique key waits or runs already (NULL: none)
-- Index:   scheduler_run_one_of_a_key

SELECT created_at, refused
  FROM scheduler_enqueue(
       %(now)s::timestamptz, %(public_ids)s::uuid[], %(tasks)s::text[], %(args)s::text[], %(kwargs)s::text[],
       %(queues)s::text[], %(tracks)s::text[], %(priorities)s::int[], %(run_after)s::timestamptz[],
       %(timeouts)s::float8[], %(lifetimes)s::float8[], %(unique_keys)s::text[], %(policies)s::text[],
       %(requested_by)s::text[])
