-- Show how far runs are while they run.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  node uuid; arrays of one length: runs bigint[], progress jsonb as text[] (NULL: as it was), logs text[]
-- Rows:    none
-- Index:   the primary key

UPDATE scheduler_run AS run
   SET progress = coalesce(note.progress::jsonb, run.progress), log = note.log
  FROM unnest(%(runs)s::bigint[], %(progress)s::text[], %(logs)s::text[]) AS note (id, progress, log)
 WHERE run.id = note.id
   AND run.node = %(node)s::uuid
   AND run.finished_at IS NULL
