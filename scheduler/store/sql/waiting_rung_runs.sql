-- Find the runs among these that still wait for a worker.
--
-- Locks:   none.
-- Params:  arrays of one length: runs bigint[], attempts int[]
-- Rows:    id
-- Index:   the primary key

SELECT run.id
  FROM unnest(%(runs)s::bigint[], %(attempts)s::int[]) AS ring (run, attempt)
  JOIN scheduler_run AS run ON run.id = ring.run
 WHERE run.attempt = ring.attempt
   AND run.state = 'queued'
   AND run.node IS NULL
