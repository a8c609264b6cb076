-- How far the sequence of a table's key has come; 0: it gave no number yet, or the table has none.
--
-- Locks:   none.
-- Params:  table text; column text
-- Rows:    one number
-- Index:   none

SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(%(table)s, %(column)s)::regclass), 0)
