-- Say that the node is alive.
--
-- Locks:   the row of the node, for the length of the statement.
-- Params:  node uuid, stuck int, now timestamptz or NULL
-- Rows:    the database's clock, whether somebody drained the node; no row: the node was taken for dead
-- Index:   the primary key

UPDATE scheduler_node AS node
   SET heartbeat_at = coalesce(%(now)s::timestamptz, clock_timestamp()), stuck = %(stuck)s
 WHERE node.id = %(node)s::uuid
   AND node.state IN ('running', 'stopping')
RETURNING node.heartbeat_at, node.drained_at IS NOT NULL AS is_drained
