-- Give back queued runs of nodes that are gone, or that nobody knows any more: no body of them has begun.
--
-- Locks:   the rows, until the caller's transaction ends; those that somebody else has locked are passed by.
-- Params:  runs bigint[]
-- Rows:    id
-- Index:   the primary key

UPDATE scheduler_run AS run
   SET node = NULL, rung_at = NULL
 WHERE run.id = ANY(ARRAY(SELECT orphan.id
                            FROM scheduler_run AS orphan
                           WHERE orphan.id = ANY(%(runs)s::bigint[])
                             AND orphan.node IS NOT NULL
                             AND orphan.finished_at IS NULL
                             AND orphan.state = 'queued'
                             AND NOT EXISTS (SELECT 1
                                               FROM scheduler_node AS node
                                              WHERE node.id = orphan.node
                                                AND node.state IN ('running', 'stopping'))
                           ORDER BY orphan.id
                             FOR UPDATE SKIP LOCKED))
RETURNING run.id
