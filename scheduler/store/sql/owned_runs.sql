-- The active runs that the database believes to be this node's.
--
-- Locks:   none.
-- Params:  node uuid; since bigint: it owns no run with a lower number
-- Rows:    id, state
-- Index:   scheduler_run_owned_by_node, from “since” on

SELECT run.id, run.state
  FROM scheduler_run AS run
 WHERE run.node = %(node)s::uuid
   AND run.id >= %(since)s
   AND run.finished_at IS NULL
