-- Find jobs whose pause is over.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; limit int
-- Rows:    id; those first whose pause ended first
-- Index:   scheduler_job_paused_until

SELECT job.djangojob_ptr_id
  FROM scheduler_job AS job
 WHERE job.paused_until <= coalesce(%(now)s::timestamptz, now())
   AND job.state = 'paused'
 ORDER BY job.paused_until, job.djangojob_ptr_id
 LIMIT %(limit)s
