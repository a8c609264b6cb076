-- Say that a node is alive that cannot say so itself, and why.
--
-- Locks:   the row of the node, for the length of the statement.
-- Params:  node uuid, reason_code text (empty: none), reason_params JSON or NULL, now timestamptz or NULL
-- Rows:    id; no row: the node was taken for dead
-- Index:   the primary key

UPDATE scheduler_node AS node
   SET heartbeat_at = coalesce(%(now)s::timestamptz, clock_timestamp()),
       reason_code = %(reason_code)s,
       reason_params = %(reason_params)s::jsonb
 WHERE node.id = %(node)s::uuid
   AND node.state IN ('running', 'stopping')
RETURNING node.id::text
