-- Note the version of the time zone data.
--
-- Locks:   the only row, for the length of the statement.
-- Params:  tzdata text
-- Rows:    none
-- Index:   none: there is one row

UPDATE scheduler_installation AS installation
   SET tzdata = %(tzdata)s
 WHERE installation.tzdata <> %(tzdata)s
