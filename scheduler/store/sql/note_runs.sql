-- Show how far runs are while they run.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  node uuid; arrays of one length: runs bigint[], progress jsonb as text[] (NULL: as it was), logs text[]
-- Rows:    none
-- Index:   the primary key. Written so that no index of active runs fits: it has an entry for each run that ended while
--          a transaction elsewhere is open

UPDATE scheduler_run AS run
   SET progress = coalesce(note.progress::jsonb, run.progress), log = note.log
  FROM unnest(%(runs)s::bigint[], %(progress)s::text[], %(logs)s::text[]) AS note (id, progress, log)
 WHERE run.id = note.id
   AND run.node = %(node)s::uuid
   AND num_nulls(run.finished_at) = 1
