-- Mark jobs that have no further fire time as finished.
--
-- Locks:   the rows of the jobs.
-- Params:  jobs text[], now timestamptz or NULL
-- Rows:    none
-- Index:   the primary key

UPDATE scheduler_job AS job
   SET state = 'finished', state_reason = 'It has no further fire time.', state_changed_by = '',
       state_changed_at = coalesce(%(now)s::timestamptz, now())
 WHERE job.djangojob_ptr_id = ANY(%(jobs)s::text[])
