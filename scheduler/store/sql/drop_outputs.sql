-- Drop the results, logs and tracebacks of finished runs. Their rows stay.
--
-- Locks:   the rows, for the length of the statement; those that somebody else has locked are left alone.
-- Params:  runs bigint[]
-- Rows:    id
-- Index:   the primary key

UPDATE scheduler_run AS run
   SET result = NULL, log = '', traceback = '', output_dropped_at = clock_timestamp()
 WHERE run.id = ANY(ARRAY(SELECT old.id
                            FROM scheduler_run AS old
                           WHERE old.id = ANY(%(runs)s::bigint[])
                             AND old.finished_at IS NOT NULL
                           ORDER BY old.id
                             FOR NO KEY UPDATE SKIP LOCKED))
RETURNING run.id
