-- Say by which release of the time zone rules a node computes.
--
-- Locks:   the row of the node, for the length of the statement.
-- Params:  node uuid, tzdata text
-- Rows:    none
-- Index:   the primary key

UPDATE scheduler_node AS node
   SET tzdata = %(tzdata)s
 WHERE node.id = %(node)s::uuid
   AND node.tzdata <> %(tzdata)s
