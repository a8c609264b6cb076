-- Delete windows that are accounted for.
--
-- Locks:   none that the caller does not hold already.
-- Params:  windows bigint[]
-- Rows:    none
-- Index:   the primary key

DELETE FROM scheduler_owed AS owed
 WHERE owed.id = ANY(%(windows)s::bigint[])
