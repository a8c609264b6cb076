-- Note the version of the time zone data.
--
-- Locks:   the only row, until the caller's transaction ends.
-- Params:  tzdata text
-- Rows:    the former version; none: it is the same
-- Index:   the primary key

WITH former AS (
    SELECT installation.id, installation.tzdata
      FROM scheduler_installation AS installation
     WHERE installation.tzdata <> %(tzdata)s
       FOR UPDATE
)
UPDATE scheduler_installation AS installation
   SET tzdata = %(tzdata)s
  FROM former
 WHERE installation.id = former.id
RETURNING former.tzdata
