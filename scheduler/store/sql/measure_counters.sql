-- The totals of all nodes, by task and state.
--
-- Locks:   none.
-- Params:  none
-- Rows:    task, state, runs, run seconds, run buckets, lag seconds, lag buckets (runs by bucket, not cumulative)
-- Index:   none: a row for each node, task and state

SELECT sums.task, sums.state, sums.runs, sums.run_seconds,
       (SELECT array_agg(bucket.runs ORDER BY bucket.place)
          FROM (SELECT part.place, least(sum(part.runs), 9223372036854775807)::bigint AS runs
                  FROM scheduler_counter AS counter
                 CROSS JOIN unnest(counter.run_buckets) WITH ORDINALITY AS part (runs, place)
                 WHERE counter.task = sums.task AND counter.state = sums.state
                 GROUP BY part.place) AS bucket),
       sums.lag_seconds,
       (SELECT array_agg(bucket.runs ORDER BY bucket.place)
          FROM (SELECT part.place, least(sum(part.runs), 9223372036854775807)::bigint AS runs
                  FROM scheduler_counter AS counter
                 CROSS JOIN unnest(counter.lag_buckets) WITH ORDINALITY AS part (runs, place)
                 WHERE counter.task = sums.task AND counter.state = sums.state
                 GROUP BY part.place) AS bucket)
  FROM (SELECT counter.task, counter.state, least(sum(counter.runs), 9223372036854775807)::bigint AS runs,
               sum(least(counter.run_seconds, 1e300)) AS run_seconds, sum(least(counter.lag_seconds, 1e300)) AS lag_seconds
          FROM scheduler_counter AS counter
         GROUP BY counter.task, counter.state) AS sums
 ORDER BY sums.task, sums.state
