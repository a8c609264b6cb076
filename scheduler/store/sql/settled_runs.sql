-- Which of these runs this node has finished: settles a COMMIT whose answer was lost. Interrupted ones were ended by
-- whoever reaped this node.
--
-- Locks:   none.
-- Params:  runs bigint[], node uuid
-- Rows:    id
-- Index:   the primary key

SELECT run.id
  FROM scheduler_run AS run
 WHERE run.id = ANY(%(runs)s::bigint[])
   AND run.node = %(node)s::uuid
   AND run.finished_at IS NOT NULL
   AND run.state <> 'interrupted'
