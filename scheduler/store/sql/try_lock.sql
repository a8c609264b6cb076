-- Try to be the one node that does a piece of housekeeping in this transaction.
--
-- Locks:   an advisory lock, until the caller's transaction ends.
-- Params:  lock bigint
-- Rows:    one: whether the lock was had
-- Index:   none

SELECT pg_try_advisory_xact_lock(%(lock)s)
