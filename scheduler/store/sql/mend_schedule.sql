-- Let an active job without a next fire time go on from the one that was taken away.
--
-- Locks:   the row of the job, until the caller's transaction ends.
-- Params:  job text; first timestamptz
-- Rows:    id
-- Index:   the primary key

UPDATE scheduler_job AS job
   SET interrupted_at = least(job.interrupted_at, %(first)s::timestamptz), needs_inspection = true
  FROM django_apscheduler_djangojob AS parent
 WHERE job.djangojob_ptr_id = %(job)s
   AND parent.id = job.djangojob_ptr_id
   AND parent.next_run_time IS NULL
   AND job.state = 'active'
RETURNING job.djangojob_ptr_id
