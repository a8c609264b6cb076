-- Mark a node as stopping or stopped.
--
-- Locks:   the row of the node, for the length of the statement.
-- Params:  node uuid, state text, reason_code text, reason_params jsonb as text or NULL, now timestamptz or NULL
-- Rows:    id; none: the node was taken for dead
-- Index:   the primary key

UPDATE scheduler_node AS node
   SET state = %(state)s, reason = '', reason_code = %(reason_code)s, reason_params = %(reason_params)s::jsonb,
       stopped_at = CASE WHEN %(state)s = 'stopped' THEN coalesce(%(now)s::timestamptz, now()) END
 WHERE node.id = %(node)s::uuid
   AND node.state IN ('running', 'stopping')
RETURNING node.id
