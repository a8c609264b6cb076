-- Add what was counted hours ago to one row of each queue, so that totals never shrink.
--
-- Locks:   the rows that it deletes and those of the nil node, until the caller's transaction ends.
-- Params:  now timestamptz or NULL
-- Rows:    one for each queue that grew
-- Index:   scheduler_queuecounter_once; otherwise none: a row for each node, queue and five minutes since the last fold

WITH old AS (
    DELETE FROM scheduler_queuecounter AS counter
     WHERE counter.since > 'epoch'
       AND counter.since < coalesce(%(now)s::timestamptz, now()) - interval '2 hours'
    RETURNING counter.queue, counter.runs
)
INSERT INTO scheduler_queuecounter AS counter (node, queue, since, runs)
SELECT '00000000-0000-0000-0000-000000000000', old.queue, 'epoch', least(sum(old.runs), 9223372036854775807)
  FROM old
 GROUP BY old.queue
 ORDER BY old.queue
    ON CONFLICT (node, queue, since) DO UPDATE
   SET runs = least(counter.runs, 9223372036854775807 - excluded.runs) + excluded.runs
RETURNING 1
