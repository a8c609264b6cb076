-- How many runs wait and run, by queue, and how long the oldest of them waits.
--
-- Locks:   none.
-- Params:  most int, the most rows of one priority of a track that are counted
-- Rows:    name, queued, those of them that are to begin later, running, age in seconds of the oldest that may start
--          (NULL: none), whether it is paused
-- Index:   scheduler_run_waiting, from one track and priority to the next; scheduler_run_owned_by_node

WITH RECURSIVE clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), level (executor, priority) AS (
    (SELECT run.executor, run.priority
       FROM scheduler_run AS run
      WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
      ORDER BY run.executor, run.priority DESC
      LIMIT 1)
    UNION ALL
    SELECT following.executor, following.priority
      FROM level
     CROSS JOIN LATERAL (
           (SELECT run.executor, run.priority
              FROM scheduler_run AS run
             WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
               AND run.executor = level.executor AND run.priority < level.priority
             ORDER BY run.priority DESC
             LIMIT 1)
           UNION ALL
           (SELECT run.executor, run.priority
              FROM scheduler_run AS run
             WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
               AND run.executor > level.executor
             ORDER BY run.executor, run.priority DESC
             LIMIT 1)
           LIMIT 1) AS following
), every (queue, queued, deferred, running, since) AS (
    SELECT coalesce(nullif(split_part(level.executor, '@', 2), ''), 'default'), tally.queued, tally.deferred, 0,
           tally.since
      FROM level
     CROSS JOIN clock
     CROSS JOIN LATERAL (
           SELECT count(*) AS queued, count(*) FILTER (WHERE head.due_at > clock.now) AS deferred,
                  min(greatest(head.due_at, head.created_at)) FILTER (WHERE head.due_at <= clock.now) AS since
             FROM (SELECT run.due_at, run.created_at
                     FROM scheduler_run AS run
                    WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
                      AND run.executor = level.executor AND run.priority = level.priority
                    ORDER BY run.due_at
                    LIMIT %(most)s) AS head) AS tally
    UNION ALL
    SELECT run.queue, count(*) FILTER (WHERE run.state = 'queued'), 0, count(*) FILTER (WHERE run.state = 'running'),
           min(greatest(run.due_at, run.created_at)) FILTER (WHERE run.state = 'queued')
      FROM scheduler_run AS run
     WHERE run.finished_at IS NULL AND run.node IS NOT NULL
     GROUP BY run.queue
)
SELECT every.queue AS name, sum(every.queued)::bigint AS queued, sum(every.deferred)::bigint AS deferred,
       sum(every.running)::bigint AS running, extract(epoch FROM clock.now - min(every.since))::float8 AS oldest,
       EXISTS (SELECT 1
                 FROM scheduler_queue AS stored
                WHERE stored.name = every.queue
                  AND stored.paused_at IS NOT NULL
                  AND (stored.paused_until IS NULL OR stored.paused_until > clock.now)) AS is_paused
  FROM every
 CROSS JOIN clock
 GROUP BY every.queue, clock.now
 ORDER BY every.queue
