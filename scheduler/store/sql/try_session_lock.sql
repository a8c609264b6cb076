-- Try to be the one process that does a piece of work.
--
-- Locks:   an advisory lock, until the session ends.
-- Params:  lock bigint
-- Rows:    one: whether the lock was had
-- Index:   none

SELECT pg_try_advisory_lock(%(lock)s)
