-- Add counters of several keys to those of one: of nodes that are forgotten to those of no node, so that totals never
-- shrink, and of keys under which a node counts no more to its own.
--
-- Locks:   the rows that it deletes and those that grow, until the caller's transaction ends.
-- Params:  parts uuid[], the keys; NULL: those that are no node's
--          into uuid, the node whose counters grow; the nil node for those of no node
-- Rows:    one for each task and state that grew
-- Index:   scheduler_counter_once_per_node_task_state

WITH gone AS (
    DELETE FROM scheduler_counter AS counter
     WHERE counter.node <> %(into)s::uuid
       AND (%(parts)s::uuid[] IS NULL OR counter.node = ANY(%(parts)s::uuid[]))
       AND (%(parts)s::uuid[] IS NOT NULL
            OR NOT EXISTS (SELECT 1 FROM scheduler_node AS node WHERE node.id = counter.node))
    RETURNING counter.*
), slots AS (
    SELECT gone.task, gone.state, 'run' AS kind, bucket.place, least(sum(greatest(bucket.runs, 0)), 9223372036854775807)::bigint AS runs
      FROM gone
     CROSS JOIN LATERAL unnest(gone.run_buckets) WITH ORDINALITY AS bucket (runs, place)
     GROUP BY gone.task, gone.state, bucket.place
     UNION ALL
    SELECT gone.task, gone.state, 'lag', bucket.place, least(sum(greatest(bucket.runs, 0)), 9223372036854775807)::bigint
      FROM gone
     CROSS JOIN LATERAL unnest(gone.lag_buckets) WITH ORDINALITY AS bucket (runs, place)
     GROUP BY gone.task, gone.state, bucket.place
)
INSERT INTO scheduler_counter AS counter (
       node, task, state, runs, run_seconds, run_buckets, lag_seconds, lag_buckets)
SELECT %(into)s::uuid, gone.task, gone.state, least(sum(gone.runs), 9223372036854775807), sum(least(gone.run_seconds, 1e300)),
       (SELECT array_agg(slots.runs ORDER BY slots.place)
          FROM slots WHERE slots.task = gone.task AND slots.state = gone.state AND slots.kind = 'run'),
       sum(least(gone.lag_seconds, 1e300)),
       (SELECT array_agg(slots.runs ORDER BY slots.place)
          FROM slots WHERE slots.task = gone.task AND slots.state = gone.state AND slots.kind = 'lag')
  FROM gone
 GROUP BY gone.task, gone.state
 ORDER BY gone.task, gone.state
    ON CONFLICT (node, task, state) DO UPDATE
   SET runs = least(counter.runs, 9223372036854775807 - excluded.runs) + excluded.runs,
       run_seconds = least(counter.run_seconds, 1e300) + least(excluded.run_seconds, 1e300),
       lag_seconds = least(counter.lag_seconds, 1e300) + least(excluded.lag_seconds, 1e300),
       run_buckets = ARRAY(SELECT least(coalesce(one, 0), 9223372036854775807 - coalesce(other, 0)) + coalesce(other, 0)
                             FROM unnest(counter.run_buckets, excluded.run_buckets)
                                  WITH ORDINALITY AS pair (one, other, place) ORDER BY pair.place),
       lag_buckets = ARRAY(SELECT least(coalesce(one, 0), 9223372036854775807 - coalesce(other, 0)) + coalesce(other, 0)
                             FROM unnest(counter.lag_buckets, excluded.lag_buckets)
                                  WITH ORDINALITY AS pair (one, other, place) ORDER BY pair.place)
RETURNING 1
