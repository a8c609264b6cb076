-- Lock runs that nobody else has locked.
--
-- Locks:   the rows, by id, until the caller's transaction ends.
-- Params:  runs bigint[]
-- Rows:    id
-- Index:   the primary key

SELECT run.id
  FROM scheduler_run AS run
 WHERE run.id = ANY(%(runs)s::bigint[])
 ORDER BY run.id
   FOR NO KEY UPDATE SKIP LOCKED
