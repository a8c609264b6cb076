-- Find the first id of the ledger at or after each instant, by halving the ids between the first and the last.
--
-- Locks:   none.
-- Params:  instants timestamptz[]
--          least int: with fewer ids than this in the ledger there is nothing to gain
-- Rows:    instant, id (one more than the last if all runs are older); none if the ledger is that small
-- Index:   the primary key: some twenty single rows for each instant

WITH RECURSIVE halving (instant, low, high) AS (
    SELECT wanted.instant, ends.low, ends.high
      FROM unnest(%(instants)s::timestamptz[]) AS wanted (instant)
     CROSS JOIN (SELECT min(run.id) AS low, max(run.id) + 1 AS high FROM scheduler_run AS run) AS ends
     WHERE ends.high - ends.low >= %(least)s
     UNION ALL
    SELECT halving.instant,
           CASE WHEN probe.is_before THEN probe.id + 1 ELSE halving.low END,
           CASE WHEN probe.is_before THEN halving.high ELSE middle.id END
      FROM halving
     CROSS JOIN LATERAL (SELECT halving.low + (halving.high - halving.low) / 2 AS id) AS middle
     CROSS JOIN LATERAL (
           SELECT run.id, run.created_at < halving.instant AS is_before
             FROM scheduler_run AS run
            WHERE run.id >= middle.id
            ORDER BY run.id
            LIMIT 1
           ) AS probe
     WHERE halving.low < halving.high
)
SELECT halving.instant, halving.low
  FROM halving
 WHERE halving.low >= halving.high
