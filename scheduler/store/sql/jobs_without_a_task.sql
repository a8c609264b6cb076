-- Active jobs whose task no live node knows.
--
-- Locks:   none.
-- Params:  tasks text[], what this node knows; limit int
-- Rows:    id, task
-- Index:   scheduler_job_task

SELECT job.djangojob_ptr_id, job.task
  FROM scheduler_job AS job
 WHERE job.state = 'active'
   AND job.task <> ALL(%(tasks)s::text[])
   AND NOT EXISTS (SELECT 1
                     FROM scheduler_node AS node
                    WHERE node.state = 'running'
                      AND node.kind = 'node'
                      AND node.tasks ? job.task)
 LIMIT %(limit)s
