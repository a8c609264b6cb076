-- End the count of failures in a row of the tasks whose enqueued runs succeeded later.
--
-- Locks:   the rows of the tasks, by task and queue, until the caller's transaction ends.
-- Params:  runs bigint[], runs that were recorded
-- Rows:    task, queue
-- Index:   the primary key of runs; scheduler_taskstreak_one_of_task_and_queue

WITH success AS (
    SELECT run.task, run.queue, max(run.finished_at) AS at
      FROM scheduler_run AS run
     WHERE run.id = ANY(%(runs)s::bigint[])
       AND run.public_id IS NOT NULL
       AND run.state = 'succeeded'
     GROUP BY run.task, run.queue
), over AS MATERIALIZED (
    SELECT streak.id
      FROM success
      JOIN scheduler_taskstreak AS streak ON streak.task = success.task AND streak.queue = success.queue
     WHERE streak.failed_at <= success.at
     ORDER BY streak.task, streak.queue
       FOR UPDATE OF streak
)
DELETE FROM scheduler_taskstreak AS streak
 USING over
 WHERE streak.id = over.id
RETURNING streak.task, streak.queue
