-- Find the tracks and priorities in which runs of remote executors wait that were never rung: the body of the recursive
-- query “level (track, priority)”, which stamp_runs_to_ring and next_ring include.
--
-- Locks:   none.
-- Params:  none.
-- Rows:    track, priority; each once, in the order of the index
-- Index:   scheduler_run_to_ring, from one track and priority to the next

(SELECT run.executor, run.priority
   FROM scheduler_run AS run
  WHERE strpos(run.executor, ':') > 0
    AND run.node IS NULL AND run.finished_at IS NULL AND NOT run.held AND run.rung_at IS NULL
  ORDER BY run.executor, run.priority DESC
  LIMIT 1)
UNION ALL
SELECT following.executor, following.priority
  FROM level
 CROSS JOIN LATERAL (
       (SELECT run.executor, run.priority
          FROM scheduler_run AS run
         WHERE strpos(run.executor, ':') > 0
           AND run.node IS NULL AND run.finished_at IS NULL AND NOT run.held AND run.rung_at IS NULL
           AND run.executor = level.track AND run.priority < level.priority
         ORDER BY run.priority DESC
         LIMIT 1)
       UNION ALL
       (SELECT run.executor, run.priority
          FROM scheduler_run AS run
         WHERE strpos(run.executor, ':') > 0
           AND run.node IS NULL AND run.finished_at IS NULL AND NOT run.held AND run.rung_at IS NULL
           AND run.executor > level.track
         ORDER BY run.executor, run.priority DESC
         LIMIT 1)
       LIMIT 1) AS following
