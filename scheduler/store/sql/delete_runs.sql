-- Delete finished runs, with the notes on them.
--
-- Locks:   the rows, for the length of the statement; those that somebody else has locked are left alone.
-- Params:  runs bigint[]
-- Rows:    id
-- Index:   the primary key; scheduler_note_of_run

WITH gone AS (
    DELETE FROM scheduler_run AS run
     WHERE run.id = ANY(ARRAY(SELECT old.id
                                FROM scheduler_run AS old
                               WHERE old.id = ANY(%(runs)s::bigint[])
                                 AND old.finished_at IS NOT NULL
                               ORDER BY old.id
                                 FOR UPDATE SKIP LOCKED))
    RETURNING run.id
),
noted AS (
    DELETE FROM scheduler_runnote AS note USING gone WHERE note.run_id = gone.id
)
SELECT gone.id
  FROM gone
