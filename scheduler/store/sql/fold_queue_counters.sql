-- Add counters of queues up, so that totals never shrink: what was counted hours ago to one row of each queue, and what
-- was counted under keys that a node uses no more to its own.
--
-- Locks:   the rows that it deletes and those that grow, until the caller's transaction ends.
-- Params:  parts uuid[], the keys; NULL: all that was counted hours ago, by any node
--          into uuid, the node whose counters grow; the nil node for what was counted hours ago
--          now timestamptz or NULL
-- Rows:    one for each row that grew
-- Index:   scheduler_queuecounter_once; without “parts” none: a row for each node, queue and five minutes since the last fold

WITH old AS (
    DELETE FROM scheduler_queuecounter AS counter
     WHERE counter.since > 'epoch'
       AND (%(parts)s::uuid[] IS NULL OR counter.node = ANY(%(parts)s::uuid[]))
       AND (%(parts)s::uuid[] IS NOT NULL OR counter.since < coalesce(%(now)s::timestamptz, now()) - interval '2 hours')
    RETURNING counter.queue, CASE WHEN %(parts)s::uuid[] IS NULL THEN 'epoch' ELSE counter.since END AS since,
              counter.runs
)
INSERT INTO scheduler_queuecounter AS counter (node, queue, since, runs)
SELECT %(into)s::uuid, old.queue, old.since, least(sum(old.runs), 9223372036854775807)
  FROM old
 GROUP BY old.queue, old.since
 ORDER BY old.queue, old.since
    ON CONFLICT (node, queue, since) DO UPDATE
   SET runs = least(counter.runs, 9223372036854775807 - excluded.runs) + excluded.runs
RETURNING 1
