-- Find the runs among these that still wait for a worker.
--
-- Locks:   none.
-- Params:  arrays of one length: runs bigint[], attempts int[]
-- Rows:    id
-- Index:   the primary key

-- One by one: a join may read all waiting runs for each ring, as long as the server has no statistics of them.
SELECT run.id
  FROM unnest(%(runs)s::bigint[], %(attempts)s::int[]) AS ring (run, attempt)
 CROSS JOIN LATERAL (SELECT own.id, own.attempt, own.state, own.node
                       FROM scheduler_run AS own
                      WHERE own.id = ring.run
                      LIMIT 1) AS run
 WHERE run.attempt = ring.attempt
   AND run.state = 'queued'
   AND run.node IS NULL
