-- Count the runs of the last days that ran for longer than a duration.
--
-- Locks:   none.
-- Params:  scope, target text; seconds float8; days int
-- Rows:    one: how many
-- Index:   scheduler_run_at_task_node

SELECT count(*)
  FROM scheduler_run AS run
  JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
 WHERE run.created_at >= now() - %(days)s * interval '1 day'
   AND date_part('epoch', run.finished_at) - date_part('epoch', run.started_at) > %(seconds)s
   AND (%(scope)s = 'everything' OR %(scope)s = 'job' AND job.djangojob_ptr_id = %(target)s
        OR %(scope)s = 'task' AND job.task = %(target)s OR %(scope)s = 'queue' AND job.queue = %(target)s
        OR %(scope)s = 'tag' AND %(target)s = ANY(job.tags))
