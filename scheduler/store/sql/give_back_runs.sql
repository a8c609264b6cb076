-- Return runs that this node has not begun, so that any node can take them.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  runs bigint[], node uuid; the caller vouches that no body has begun
-- Rows:    id
-- Index:   the primary key. Written so that no index of active runs fits: it has an entry for each run that ended while
--          a transaction elsewhere is open

UPDATE scheduler_run AS run
   SET node = NULL, state = 'queued', started_at = NULL, rung_at = NULL
 WHERE run.id = ANY(%(runs)s::bigint[])
   AND run.node = %(node)s::uuid
   AND num_nulls(run.finished_at) = 1
RETURNING run.id
