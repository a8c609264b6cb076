-- Wake the nodes that listen, in a transaction of its own that does not wait for the disk.
--
-- Locks:   a global one for the length of the commit, which is short because it does not wait for the disk.
-- Params:  channel text; subject text, see ``notifications.Hint``
-- Rows:    none
-- Index:   none

SELECT set_config('synchronous_commit', 'off', true), pg_notify(%(channel)s, %(subject)s)
