-- Enqueue one run without a unique key, commit, and wake the nodes. Only outside of a transaction.
--
-- Locks:   the row that it inserts; then, for a commit that does not wait for the disk, the global one of hints
-- Params:  now timestamptz or NULL; public_id uuid; task, args and kwargs (JSON), queue, track: text; priority int;
--          run_after timestamptz or NULL; timeout and lifetime float8 (seconds, NULL: none); policies (JSON) and
--          requested_by: text
-- Rows:    one: when the run was enqueued
-- Index:   none

CALL scheduler_enqueue_run_now(
       %(now)s::timestamptz, %(public_id)s::uuid, %(task)s::text, %(args)s::text, %(kwargs)s::text, %(queue)s::text,
       %(track)s::text, %(priority)s::int, %(run_after)s::timestamptz, %(timeout)s::float8, %(lifetime)s::float8,
       %(policies)s::text, %(requested_by)s::text, NULL::timestamptz)
