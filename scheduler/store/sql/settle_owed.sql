-- Note how much of a window is still owed.
--
-- Locks:   none that the caller does not hold already.
-- Params:  window bigint; first timestamptz, what is owed from now on
-- Rows:    none
-- Index:   the primary key

UPDATE scheduler_owed AS owed
   SET first = %(first)s::timestamptz
 WHERE owed.id = %(window)s
