-- Count waiting and running runs by executor, with the wait of the oldest, and whether those that run are new.
--
-- Locks:   none.
-- Params:  late float8, seconds after which a run that was asked to end goes on for too long; most int, the most rows of
--          a queue that are counted
-- Rows:    executor, queued, running, held, age of the oldest queued run that may start, of the oldest held one, of the
--          run that began last, all in seconds (NULL: none), runs that go on although they were asked to end; queued runs
--          of which the broker of a remote executor was told, and seconds since the oldest such message; names of
--          its paused queues in which runs wait, their runs, age of the oldest of these
-- Index:   scheduler_run_waiting, from one executor and priority to the next; scheduler_run_owned_by_node;
--          scheduler_run_held; scheduler_run_rung

WITH RECURSIVE clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), queue (executor, priority) AS (
    (SELECT run.executor, run.priority
       FROM scheduler_run AS run
      WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
      ORDER BY run.executor, run.priority DESC
      LIMIT 1)
    UNION ALL
    SELECT following.executor, following.priority
      FROM queue
     CROSS JOIN LATERAL (
           (SELECT run.executor, run.priority
              FROM scheduler_run AS run
             WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
               AND run.executor = queue.executor AND run.priority < queue.priority
             ORDER BY run.priority DESC
             LIMIT 1)
           UNION ALL
           (SELECT run.executor, run.priority
              FROM scheduler_run AS run
             WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
               AND run.executor > queue.executor
             ORDER BY run.executor, run.priority DESC
             LIMIT 1)
           LIMIT 1) AS following
), waiting AS (
    SELECT queue.executor, tally.runs, tally.since
      FROM queue
     CROSS JOIN clock
     CROSS JOIN LATERAL (
           SELECT count(*) AS runs,
                  min(greatest(head.due_at, head.created_at)) FILTER (WHERE head.due_at <= clock.now) AS since
             FROM (SELECT run.due_at, run.created_at
                     FROM scheduler_run AS run
                    WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
                      AND run.executor = queue.executor AND run.priority = queue.priority
                    ORDER BY run.due_at
                    LIMIT %(most)s) AS head) AS tally
), owned AS (
    SELECT run.executor,
           count(*) FILTER (WHERE run.state = 'queued') AS queued,
           count(*) FILTER (WHERE run.state = 'running') AS running,
           min(greatest(run.due_at, run.created_at)) FILTER (WHERE run.state = 'queued') AS since,
           max(run.started_at) FILTER (WHERE run.state = 'running') AS began,
           count(*) FILTER (WHERE run.state = 'running'
                              AND run.cancel_requested_at < clock.now - %(late)s * interval '1 second') AS unheeded
      FROM scheduler_run AS run
     CROSS JOIN clock
     WHERE run.finished_at IS NULL AND run.node IS NOT NULL
     GROUP BY run.executor
), held AS (
    SELECT head.executor, count(*) AS runs, min(greatest(head.due_at, head.created_at)) AS since
      FROM (SELECT run.executor, run.due_at, run.created_at
              FROM scheduler_run AS run
             WHERE run.held AND run.finished_at IS NULL
             ORDER BY run.due_at
             LIMIT %(most)s) AS head
     GROUP BY head.executor
), rung AS (
    SELECT split_part(run.executor, '@', 1) AS executor, count(*) AS runs, min(run.rung_at) AS since
      FROM scheduler_run AS run
     WHERE run.rung_at IS NOT NULL AND run.node IS NULL AND run.finished_at IS NULL
     GROUP BY split_part(run.executor, '@', 1)
), paused AS MATERIALIZED (
    SELECT queue.name
      FROM scheduler_queue AS queue
     CROSS JOIN clock
     WHERE queue.paused_at IS NOT NULL
       AND (queue.paused_until IS NULL OR queue.paused_until > clock.now)
), every (executor, queued, running, held, since, held_since, began, unheeded, paused, paused_runs, paused_since) AS (
    -- Runs in a paused queue wait because somebody wanted it, which is told apart from runs that find no room.
    SELECT waiting.executor, waiting.runs, 0, 0,
           CASE WHEN paused.name IS NULL THEN waiting.since END, NULL::timestamptz, NULL::timestamptz, 0,
           paused.name, CASE WHEN paused.name IS NULL THEN 0 ELSE waiting.runs END,
           CASE WHEN paused.name IS NOT NULL THEN waiting.since END
      FROM waiting
      LEFT JOIN paused ON paused.name = coalesce(nullif(split_part(waiting.executor, '@', 2), ''), 'default')
    UNION ALL
    SELECT owned.executor, owned.queued, owned.running, 0, owned.since, NULL, owned.began, owned.unheeded, NULL, 0, NULL
      FROM owned
    UNION ALL
    SELECT held.executor, 0, 0, held.runs, NULL, held.since, NULL, 0, NULL, 0, NULL FROM held
)
SELECT split_part(every.executor, '@', 1), sum(every.queued)::bigint, sum(every.running)::bigint, sum(every.held)::bigint,
       extract(epoch FROM clock.now - min(every.since))::float8,
       extract(epoch FROM clock.now - min(every.held_since))::float8,
       extract(epoch FROM clock.now - max(every.began))::float8,
       sum(every.unheeded)::bigint, coalesce(rung.runs, 0), extract(epoch FROM clock.now - rung.since)::float8,
       array_remove(array_agg(DISTINCT every.paused), NULL), sum(every.paused_runs)::bigint,
       extract(epoch FROM clock.now - min(every.paused_since))::float8
  FROM every
 CROSS JOIN clock
  LEFT JOIN rung ON rung.executor = split_part(every.executor, '@', 1)
 GROUP BY split_part(every.executor, '@', 1), clock.now, rung.runs, rung.since
 ORDER BY split_part(every.executor, '@', 1)
