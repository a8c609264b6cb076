-- Count final failures of enqueued runs, by task and queue. Those that a success follows are left out.
--
-- Locks:   the rows of the tasks, by task and queue, until the caller's transaction ends.
-- Params:  failed bigint[], runs with a final failure; succeeded bigint[], runs that succeeded beside them
-- Rows:    none
-- Index:   the primary key of runs; scheduler_taskstreak_one_of_task_and_queue

WITH success AS (
    SELECT run.task, run.queue, max(run.finished_at) AS at
      FROM scheduler_run AS run
     WHERE run.id = ANY(%(succeeded)s::bigint[])
       AND run.public_id IS NOT NULL
     GROUP BY run.task, run.queue
)
INSERT INTO scheduler_taskstreak AS streak (task, queue, failures, failed_at, run)
SELECT run.task, run.queue, count(*), max(run.finished_at), max(run.id)
  FROM scheduler_run AS run
  LEFT JOIN success ON success.task = run.task AND success.queue = run.queue
 WHERE run.id = ANY(%(failed)s::bigint[])
   AND run.public_id IS NOT NULL
   AND run.finished_at > coalesce(success.at, '-infinity')
 GROUP BY run.task, run.queue
 ORDER BY run.task, run.queue
    ON CONFLICT (task, queue) DO UPDATE
   SET failures = least(streak.failures::bigint + excluded.failures, 2147483647),
       failed_at = greatest(streak.failed_at, excluded.failed_at),
       run = greatest(streak.run, excluded.run)
