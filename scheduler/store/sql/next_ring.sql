-- Ask when a run of a broker is to be rung next.
--
-- Locks:   none.
-- Params:  broker text, the kind of a remote executor, or one remote executor; most_inflight int, the most runs of one
--          remote executor that are rung and have not begun; again_seconds, longest_seconds float8, the first and the
--          longest time after which a run is rung again; now timestamptz or NULL
-- Rows:    one: seconds until then, of runs whose executor has room, thousands of years without any; whether an executor
--          is full while further runs are due, or as many runs were rung again as workers have places while others wait
-- Index:   scheduler_run_to_ring, from one track and priority to the next; scheduler_run_rung, which has no more rows of
--          an executor than most_inflight

WITH RECURSIVE clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), level (track, priority) AS (
    {levels_to_ring}
), told_and_waiting AS MATERIALIZED (
    {rung_runs}
), rung AS MATERIALIZED (
    SELECT waiting.executor, count(*) AS runs, min(waiting.again_at) FILTER (WHERE NOT waiting.is_paused) AS again_at,
           bool_or(waiting.is_passed_over) AS is_passed_over
      FROM told_and_waiting AS waiting
     GROUP BY waiting.executor
), unrung AS MATERIALIZED (
    SELECT waiting.executor, min(greatest(head.due_at, coalesce(waiting.paused_until, head.due_at))) AS due_at
      FROM (SELECT level.track, level.priority, split_part(level.track, '@', 1) AS executor,
                   (SELECT coalesce(queue.paused_until, 'infinity')
                      FROM scheduler_queue AS queue
                     WHERE queue.name = coalesce(nullif(split_part(level.track, '@', 2), ''), 'default')
                       AND queue.paused_at IS NOT NULL
                       AND (queue.paused_until IS NULL OR queue.paused_until > clock.now)) AS paused_until
              FROM level
             CROSS JOIN clock
             WHERE %(broker)s IN (split_part(level.track, ':', 1), split_part(level.track, '@', 1))) AS waiting
     CROSS JOIN LATERAL (
           SELECT run.due_at
             FROM scheduler_run AS run
            WHERE strpos(run.executor, ':') > 0
              AND run.node IS NULL AND run.finished_at IS NULL AND NOT run.held AND run.rung_at IS NULL
              AND run.executor = waiting.track AND run.priority = waiting.priority
            ORDER BY run.due_at
            LIMIT 1) AS head
     GROUP BY waiting.executor
), next (at, is_full) AS (
    SELECT rung.again_at, rung.is_passed_over FROM rung
    UNION ALL
    SELECT CASE WHEN coalesce(rung.runs, 0) < %(most_inflight)s THEN unrung.due_at END,
           coalesce(rung.runs, 0) >= %(most_inflight)s AND unrung.due_at <= clock.now
      FROM unrung
     CROSS JOIN clock
      LEFT JOIN rung ON rung.executor = unrung.executor
)
SELECT extract(epoch FROM least(min(next.at), '9999-01-01'::timestamptz) - (SELECT clock.now FROM clock))::float8,
       coalesce(bool_or(next.is_full), false)
  FROM next
