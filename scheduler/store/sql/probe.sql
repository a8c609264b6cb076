-- Ask for a sign of life.
--
-- Locks:   none.
-- Params:  none
-- Rows:    one
-- Index:   none

SELECT 1
