-- Return runs that this node has not begun, so that any node can take them.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  runs bigint[], node uuid; the caller vouches that no body has begun
-- Rows:    id
-- Index:   the primary key

UPDATE scheduler_run AS run
   SET node = NULL, state = 'queued', started_at = NULL
 WHERE run.id = ANY(%(runs)s::bigint[])
   AND run.node = %(node)s::uuid
   AND run.finished_at IS NULL
RETURNING run.id
