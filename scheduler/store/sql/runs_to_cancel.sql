-- Runs of this node that somebody wants cancelled.
--
-- Locks:   none.
-- Params:  node uuid
-- Rows:    id
-- Index:   scheduler_run_to_cancel

SELECT run.id
  FROM scheduler_run AS run
 WHERE run.node = %(node)s::uuid
   AND run.cancel_requested_at IS NOT NULL
   AND run.finished_at IS NULL
