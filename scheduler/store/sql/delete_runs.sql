-- Delete finished runs.
--
-- Locks:   the rows, for the length of the statement; those that somebody else has locked are left alone.
-- Params:  runs bigint[]
-- Rows:    id
-- Index:   the primary key

DELETE FROM scheduler_run AS run
 WHERE run.id = ANY(ARRAY(SELECT old.id
                            FROM scheduler_run AS old
                           WHERE old.id = ANY(%(runs)s::bigint[])
                             AND old.finished_at IS NOT NULL
                           ORDER BY old.id
                             FOR UPDATE SKIP LOCKED))
RETURNING run.id
