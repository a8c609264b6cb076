-- Lock jobs whose pause is over and that no other node is resuming.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends.
-- Params:  now timestamptz or NULL; limit int
-- Rows:    id, version, task, args, kwargs, trigger, now; those first whose pause ended first
-- Index:   scheduler_job_paused_until

SELECT parent.id, job.version, job.task, job.args::text, job.kwargs::text, job.trigger::text,
       coalesce(%(now)s::timestamptz, now())
  FROM scheduler_job AS job
  JOIN django_apscheduler_djangojob AS parent ON parent.id = job.djangojob_ptr_id
 WHERE job.paused_until <= coalesce(%(now)s::timestamptz, now())
   AND job.state = 'paused'
 ORDER BY job.paused_until, parent.id
 LIMIT %(limit)s
   FOR UPDATE SKIP LOCKED
