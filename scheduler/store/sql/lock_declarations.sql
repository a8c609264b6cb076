-- Wait until no other synchronisation of declared jobs is in its transaction.
--
-- Locks:   one advisory lock, until the caller's transaction ends.
-- Params:  none
-- Rows:    one, void
-- Index:   none

SELECT pg_advisory_xact_lock(hashtext('scheduler_declaration'))
