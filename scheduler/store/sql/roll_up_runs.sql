-- Add runs that have just ended to the hourly roll-ups of their jobs and to the counters of a key of the node, by task
-- and state and by queue.
--
-- Locks:   the roll-up rows of the jobs, in the order of their keys, until the caller's transaction ends; it is the
--          last statement of that transaction, so that nodes wait for each other briefly and never in a circle.
-- Params:  runs bigint[]; key uuid; run_bounds and lag_bounds float8[], ascending
-- Rows:    none
-- Bounds:  sums stay at what their column holds, whatever the row has already. Times of a run that are odd (before all
--          dates, infinite) make the statement fail: then they are left out by the caller
-- Speed:   date_part and date_bin cost half and a quarter of extract, which is numeric, and of date_trunc in a zone
-- Index:   the primary keys; scheduler_counter_once_per_node_task_state, scheduler_queuecounter_once

WITH ended AS MATERIALIZED (
    SELECT run.job_key, run.task, run.queue, run.state, run.started_at IS NOT NULL AS began, run.finished_at, run.coalesced::bigint + 1 AS fire_times,
           date_part('epoch', greatest(run.finished_at, run.started_at) - run.started_at) AS took,
           greatest(date_part('epoch', run.started_at - run.due_at), 0) AS lag,
           run.state = 'skipped' AND starts_with(run.reason_code, 'left_out') AS left_out
      FROM scheduler_run AS run
     WHERE run.id = ANY(%(runs)s::bigint[])
), placed AS MATERIALIZED (
    SELECT ended.task, ended.state, width_bucket(ended.took, %(run_bounds)s::float8[]) AS run_place,
           width_bucket(ended.lag, %(lag_bounds)s::float8[]) AS lag_place, count(*) AS runs,
           coalesce(sum(ended.took), 0) AS took, coalesce(sum(ended.lag), 0) AS lag
      FROM ended
     GROUP BY 1, 2, 3, 4
), counted AS (
    INSERT INTO scheduler_counter AS counter (
           node, task, state, runs, run_seconds, run_buckets, lag_seconds, lag_buckets)
    SELECT %(key)s::uuid, tally.task, tally.state, tally.runs, tally.took,
           ARRAY(SELECT coalesce((SELECT sum(placed.runs)
                                    FROM placed
                                   WHERE placed.task = tally.task AND placed.state = tally.state
                                     AND placed.run_place = slot.place), 0)::bigint
                   FROM generate_series(0, cardinality(%(run_bounds)s::float8[])) AS slot (place)
                  ORDER BY slot.place),
           tally.lag,
           ARRAY(SELECT coalesce((SELECT sum(placed.runs)
                                    FROM placed
                                   WHERE placed.task = tally.task AND placed.state = tally.state
                                     AND placed.lag_place = slot.place), 0)::bigint
                   FROM generate_series(0, cardinality(%(lag_bounds)s::float8[])) AS slot (place)
                  ORDER BY slot.place)
      FROM (SELECT placed.task, placed.state, sum(placed.runs) AS runs, sum(placed.took) AS took,
                   sum(placed.lag) AS lag
              FROM placed
             GROUP BY placed.task, placed.state) AS tally
     ORDER BY tally.task, tally.state
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
), counted_by_queue AS (
    INSERT INTO scheduler_queuecounter AS counter (node, queue, since, runs)
    SELECT %(key)s::uuid, ended.queue, date_bin('5 minutes', ended.finished_at, 'epoch'), count(*)
      FROM ended
     WHERE ended.began
     GROUP BY 2, 3
     ORDER BY 2, 3
        ON CONFLICT (node, queue, since) DO UPDATE
       SET runs = least(counter.runs, 9223372036854775807 - excluded.runs) + excluded.runs
)
INSERT INTO scheduler_rollup AS rollup (
       job_key, hour, succeeded, failed, timed_out, cancelled, interrupted, missed, skipped, left_out,
       run_seconds, last_finished_at)
SELECT ended.job_key, date_bin('1 hour', ended.finished_at, 'epoch'),
       count(*) FILTER (WHERE ended.state = 'succeeded'),
       count(*) FILTER (WHERE ended.state = 'failed'),
       count(*) FILTER (WHERE ended.state = 'timed_out'),
       count(*) FILTER (WHERE ended.state = 'cancelled'),
       count(*) FILTER (WHERE ended.state = 'interrupted'),
       least(coalesce(sum(ended.fire_times) FILTER (WHERE ended.state = 'missed'), 0), 2147483647),
       least(coalesce(sum(ended.fire_times) FILTER (WHERE ended.state = 'skipped'), 0), 2147483647),
       least(coalesce(sum(ended.fire_times) FILTER (WHERE ended.left_out), 0), 2147483647),
       coalesce(sum(ended.took), 0),
       max(ended.finished_at)
  FROM ended
 GROUP BY 1, 2
 ORDER BY 1, 2
    ON CONFLICT (job_key, hour) DO UPDATE
   SET succeeded = least(rollup.succeeded::bigint + excluded.succeeded, 2147483647),
       failed = least(rollup.failed::bigint + excluded.failed, 2147483647),
       timed_out = least(rollup.timed_out::bigint + excluded.timed_out, 2147483647),
       cancelled = least(rollup.cancelled::bigint + excluded.cancelled, 2147483647),
       interrupted = least(rollup.interrupted::bigint + excluded.interrupted, 2147483647),
       missed = least(rollup.missed::bigint + excluded.missed, 2147483647),
       skipped = least(rollup.skipped::bigint + excluded.skipped, 2147483647),
       left_out = least(rollup.left_out::bigint + excluded.left_out, 2147483647),
       run_seconds = least(rollup.run_seconds, 1e300) + least(excluded.run_seconds, 1e300),
       last_finished_at = greatest(rollup.last_finished_at, excluded.last_finished_at)
