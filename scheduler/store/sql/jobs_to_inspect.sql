-- Lock jobs whose definition was written past the services, or that are broken and may have healed.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends.
-- Params:  broken boolean, whether to look at broken jobs too; after text, the id to go on from; limit int
-- Rows:    id, version, state, task, args, kwargs, trigger, executor, next_run_time (NULL: to be
--          computed anew), interrupted_at, now; by id
-- Index:   scheduler_job_inspect; scheduler_job_state

SELECT parent.id, job.version, job.state, job.task, job.args::text, job.kwargs::text, job.trigger::text, job.executor,
       CASE WHEN NOT job.needs_rescheduling THEN parent.next_run_time END, job.interrupted_at, now()
  FROM scheduler_job AS job
  JOIN django_apscheduler_djangojob AS parent ON parent.id = job.djangojob_ptr_id
 WHERE (job.needs_inspection OR (%(broken)s AND job.state = 'broken'))
   AND parent.id > %(after)s
 ORDER BY parent.id
 LIMIT %(limit)s
   FOR UPDATE SKIP LOCKED
