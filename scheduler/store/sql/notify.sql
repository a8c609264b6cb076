-- Wake the nodes that listen.
--
-- Locks:   a global one for the length of the commit: so never once per run.
-- Params:  channel text; subject text, see ``notifications.Hint``
-- Rows:    none
-- Index:   none

SELECT pg_notify(%(channel)s, %(subject)s)
