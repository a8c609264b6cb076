-- End a run that cannot be dealt with together with others: only with values that every column takes.
--
-- Locks:   the row, for the length of the statement; one that somebody else has locked is passed by.
-- Params:  run bigint; node uuid, of the owner, NULL: whoever owns it; state, error text
-- Rows:    id
-- Index:   the primary key

UPDATE scheduler_run AS run
   SET state = %(state)s, finished_at = clock_timestamp(), error = %(error)s, held = false
 WHERE run.id = ANY(ARRAY(SELECT odd.id
                            FROM scheduler_run AS odd
                           WHERE odd.id = %(run)s
                             AND odd.finished_at IS NULL
                             AND (%(node)s::uuid IS NULL OR odd.node = %(node)s::uuid)
                             FOR NO KEY UPDATE SKIP LOCKED))
RETURNING run.id
