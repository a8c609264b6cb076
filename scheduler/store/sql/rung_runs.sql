-- Find the runs of a broker that were rung and wait, and when each is rung again: the body of the query “rung”, which
-- stamp_runs_to_ring and next_ring include.
--
-- A run is rung again after again_seconds, then after twice that, and so on: its message may wait behind others. While live
-- workers of its queue have free places, its message is lost or they would have begun it. Then again_seconds suffice, for as
-- many runs as there are free places, the oldest messages first. Newer messages count as such runs, so that a worker gets
-- no more of them in that time than it has free places.
--
-- Locks:   none.
-- Params:  broker text, the kind of a remote executor, or one remote executor; again_seconds, longest_seconds float8. The
--          including statement has a query “clock (now)”.
-- Rows:    id, executor (without the queue), whether its queue is paused, rung_at, again_at; whether a worker may have a
--          place for it while it waits for its turn among those that are rung again
-- Index:   scheduler_run_rung, which has no more rows of an executor than are rung at most; scheduler_run_owned_by_node

WITH told AS MATERIALIZED (
    SELECT run.id, run.rings, run.rung_at, split_part(run.executor, '@', 1) AS executor,
           run.rung_at + interval '1 second'
           * least(%(again_seconds)s * power(2, least(greatest(run.rings, 1), 20) - 1), %(longest_seconds)s) AS doubled_at,
           EXISTS (SELECT 1
                     FROM scheduler_queue AS queue
                    WHERE queue.name = coalesce(nullif(split_part(run.executor, '@', 2), ''), 'default')
                      AND queue.paused_at IS NOT NULL
                      AND (queue.paused_until IS NULL OR queue.paused_until > clock.now)) AS is_paused
      FROM scheduler_run AS run
     CROSS JOIN clock
     WHERE run.rung_at IS NOT NULL AND run.node IS NULL AND run.finished_at IS NULL
       AND %(broker)s IN (split_part(run.executor, ':', 1), split_part(run.executor, '@', 1))
), free AS MATERIALIZED (
    SELECT repeated.executor, sum(greatest(place.number - busy.number, 0)) AS places
      FROM (SELECT DISTINCT told.executor FROM told WHERE told.rings > 1) AS repeated
      JOIN scheduler_node AS worker
        ON worker.state = 'running'
       AND worker.drained_at IS NULL
       AND worker.kind = split_part(repeated.executor, ':', 1)
       AND worker.queues @> to_jsonb(split_part(repeated.executor, ':', 2))
     CROSS JOIN LATERAL (SELECT sum(CASE WHEN pool.places ~ '^[0-9]{1,6}$' THEN pool.places::int END) AS number
                           FROM jsonb_each_text(CASE jsonb_typeof(worker.executors)
                                                WHEN 'object' THEN worker.executors ELSE '{}' END)
                             AS pool (name, places)) AS place
     CROSS JOIN LATERAL (SELECT count(*) AS number
                           FROM scheduler_run AS active
                          WHERE active.node = worker.id AND active.finished_at IS NULL) AS busy
     GROUP BY repeated.executor
), ranked AS (
    SELECT told.id, told.executor, told.is_paused, told.rung_at, told.doubled_at,
           coalesce(free.places, 0) AS free,
           row_number() OVER oldest_first AS place,
           greatest(count(*) OVER (PARTITION BY told.executor, told.is_paused) - coalesce(free.places, 0), 0) AS surplus
      FROM told
      LEFT JOIN free ON free.executor = told.executor
    WINDOW oldest_first AS (PARTITION BY told.executor, told.is_paused ORDER BY told.rung_at, told.id)
), turn AS (
    SELECT ranked.id, ranked.executor, ranked.is_paused, ranked.rung_at, ranked.free,
           least(ranked.doubled_at,
                 CASE WHEN ranked.place <= ranked.free
                      THEN lead(ranked.rung_at, ranked.surplus::int) OVER oldest_first
                           + interval '1 second' * %(again_seconds)s
                 END) AS again_at
      FROM ranked
    WINDOW oldest_first AS (PARTITION BY ranked.executor, ranked.is_paused ORDER BY ranked.rung_at, ranked.id)
)
SELECT turn.id, turn.executor, turn.is_paused, turn.rung_at, turn.again_at,
       turn.free > 0 AND NOT turn.is_paused AND turn.again_at > clock.now
       AND turn.rung_at <= clock.now - interval '1 second' * %(again_seconds)s AS is_passed_over
  FROM turn
 CROSS JOIN clock
