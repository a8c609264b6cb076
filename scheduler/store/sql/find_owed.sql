-- Find windows of fire times that are owed, the oldest first.
--
-- Locks:   none.
-- Params:  after bigint; limit int
-- Rows:    id
-- Index:   the primary key

SELECT owed.id
  FROM scheduler_owed AS owed
 WHERE owed.id > %(after)s
 ORDER BY owed.id
 LIMIT %(limit)s
