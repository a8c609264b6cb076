-- The active runs that the database believes to be this node's.
--
-- Locks:   none.
-- Params:  node uuid
-- Rows:    id, state
-- Index:   scheduler_run_owned_node

SELECT run.id, run.state
  FROM scheduler_run AS run
 WHERE run.node = %(node)s::uuid
   AND run.finished_at IS NULL
