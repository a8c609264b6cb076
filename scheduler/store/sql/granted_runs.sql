-- Which of these runs were granted before.
--
-- Locks:   none.
-- Params:  runs bigint[]
-- Rows:    run
-- Index:   the primary key

SELECT limited.run
  FROM scheduler_limited_run AS limited
 WHERE limited.run = ANY(%(runs)s::bigint[])
   AND limited.granted_at IS NOT NULL
