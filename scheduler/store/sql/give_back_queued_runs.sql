-- Return all runs of a node that have not begun, so that any node can take them.
--
-- Locks:   the rows, for the length of the statement; those that somebody else has locked are passed by.
-- Params:  node uuid; the caller vouches that no body has begun
-- Rows:    id
-- Index:   scheduler_run_owned_by_node

UPDATE scheduler_run AS run
   SET node = NULL
 WHERE run.id = ANY(ARRAY(SELECT waiting.id
                            FROM scheduler_run AS waiting
                           WHERE waiting.node = %(node)s::uuid
                             AND waiting.finished_at IS NULL
                             AND waiting.state = 'queued'
                           ORDER BY waiting.id
                             FOR UPDATE SKIP LOCKED))
RETURNING run.id
