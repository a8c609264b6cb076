-- Read the clock of the server, also while a test has one of its own.
--
-- Locks:   none
-- Rows:    one: now
-- Index:   none

SELECT pg_catalog.clock_timestamp()
