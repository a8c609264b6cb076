-- Which tracks with a queue, or of a remote executor, have waiting runs that this node may take, and how long until the
-- first of them is due. Of a long line only its head is read.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; tasks text[]
-- Rows:    executor (the track), seconds until the first run is due (NULL: the node knows none of their tasks); by track
-- Index:   scheduler_run_waiting, from one track and priority to the next

WITH RECURSIVE level (executor, priority) AS (
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
               AND strpos(level.executor, '@') > 0
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
)
SELECT level.executor,
       extract(epoch FROM min(first.due_at) - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8
  FROM level
  LEFT JOIN LATERAL (
       SELECT head.due_at
         FROM (SELECT run.due_at, run.task
                 FROM scheduler_run AS run
                WHERE run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
                  AND run.executor = level.executor AND run.priority = level.priority
                ORDER BY run.due_at
                LIMIT 1000) AS head
        WHERE head.task = ANY(%(tasks)s::text[])
        ORDER BY head.due_at
        LIMIT 1) AS first ON true
 WHERE strpos(level.executor, '@') > 0 OR strpos(level.executor, ':') > 0
 GROUP BY level.executor
 ORDER BY level.executor
