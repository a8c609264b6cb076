-- Give a leased message back unsent: its sender stops.
--
-- Locks:   the row, until the caller's transaction ends.
-- Params:  id uuid
-- Rows:    none
-- Index:   the primary key

UPDATE scheduler_notification AS notification
   SET leased_until = NULL, attempts = notification.attempts - 1
 WHERE notification.id = %(id)s::uuid
   AND notification.state = 'pending'
