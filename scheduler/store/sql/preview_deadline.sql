-- Count the runs of the last days that ended later than a duration after their fire time.
--
-- Locks:   none.
-- Params:  scope, target text; seconds float8; days int
-- Rows:    one: how many
-- Index:   scheduler_run_at_task_node

SELECT count(*)
  FROM scheduler_run AS run
  JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
 WHERE run.created_at >= now() - %(days)s * interval '1 day'
   AND date_part('epoch', run.finished_at) - date_part('epoch', run.scheduled_at) > %(seconds)s
   AND run.started_at IS NOT NULL
   AND (%(scope)s = 'everything' OR %(scope)s = 'job' AND job.djangojob_ptr_id = %(target)s
        OR %(scope)s = 'task' AND job.task = %(target)s OR %(scope)s = 'queue' AND job.queue = %(target)s
        OR %(scope)s = 'tag' AND %(target)s = ANY(job.tags))
