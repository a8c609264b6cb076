-- Take the stamps of runs back whose messages the broker refused.
--
-- Locks:   the rows, for the length of the statement.
-- Params:  arrays of one length: runs bigint[], rings int[], the number of the message that was refused
-- Rows:    id; none for a run that began, ended or was rung again meanwhile
-- Index:   the primary key

UPDATE scheduler_run AS run
   SET rings = run.rings - 1, rung_at = NULL
  FROM unnest(%(runs)s::bigint[], %(rings)s::int[]) AS refused (id, ring)
 WHERE run.id = refused.id
   AND run.rings = refused.ring
   AND run.state = 'queued'
   AND num_nulls(run.node, run.finished_at, run.rung_at) = 2
RETURNING run.id
