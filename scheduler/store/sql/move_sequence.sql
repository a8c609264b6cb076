-- Let the sequence of a table's key go on after a number. The caller keeps others from inserting.
--
-- Locks:   none.
-- Params:  table text; column text; number bigint
-- Rows:    one: the number
-- Index:   none

SELECT setval(pg_get_serial_sequence(%(table)s, %(column)s), %(number)s::bigint)
