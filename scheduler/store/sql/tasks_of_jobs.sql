-- The tasks that jobs have, each once.
--
-- Locks:   none.
-- Params:  none
-- Rows:    task
-- Index:   scheduler_job_task, from one task to the next

WITH RECURSIVE task (name) AS (
    (SELECT job.task FROM scheduler_job AS job ORDER BY job.task LIMIT 1)
    UNION ALL
    SELECT following.task
      FROM task
     CROSS JOIN LATERAL (
           SELECT job.task
             FROM scheduler_job AS job
            WHERE job.task > task.name
            ORDER BY job.task
            LIMIT 1) AS following
)
SELECT task.name FROM task
