-- Give back the queued runs of nodes that are gone, or that nobody knows any more: no body of them has begun.
--
-- Locks:   the rows, until the caller's transaction ends.
-- Params:  none
-- Rows:    id
-- Index:   scheduler_run_owned_node

UPDATE scheduler_run AS run
   SET node = NULL
 WHERE run.node IS NOT NULL
   AND run.finished_at IS NULL
   AND run.state = 'queued'
   AND NOT EXISTS (SELECT 1
                     FROM scheduler_node AS node
                    WHERE node.id = run.node
                      AND node.state IN ('running', 'stopping'))
RETURNING run.id
