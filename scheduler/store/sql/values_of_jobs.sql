-- The values of some columns that exist among the jobs, each once.
--
-- Tags are read from every job: no index lists the members of arrays.
--
-- Locks:   none.
-- Params:  many int
-- Rows:    column, value; and “many”, “yes” if there are more jobs than that
-- Index:   scheduler_job_task, from one task to the next; scheduler_job_other_executor likewise

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
), executor (name) AS (
    (SELECT job.executor
       FROM scheduler_job AS job
      WHERE job.executor <> 'default'
      ORDER BY job.executor
      LIMIT 1)
    UNION ALL
    SELECT following.executor
      FROM executor
     CROSS JOIN LATERAL (
           SELECT job.executor
             FROM scheduler_job AS job
            WHERE job.executor > executor.name AND job.executor <> 'default'
            ORDER BY job.executor
            LIMIT 1) AS following
)
SELECT 'task', task.name FROM task
 UNION ALL
SELECT 'executor', executor.name FROM executor
 UNION ALL
(SELECT 'executor', job.executor FROM scheduler_job AS job WHERE job.executor = 'default' LIMIT 1)
 UNION ALL
(SELECT 'many', 'yes' FROM scheduler_job AS job OFFSET %(many)s LIMIT 1)
 UNION ALL
SELECT 'tag', told.tag
  FROM (SELECT DISTINCT unnest(found.tags) AS tag
          FROM (SELECT DISTINCT job.tags FROM scheduler_job AS job WHERE job.tags <> '{}') AS found) AS told
