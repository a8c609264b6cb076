-- Mark jobs that have no further fire time as finished. “said” tells the history of jobs that nobody changed them.
--
-- Locks:   the rows of the jobs.
-- Params:  jobs text[], now timestamptz or NULL
-- Rows:    none
-- Index:   the primary key

WITH said AS MATERIALIZED (
    SELECT set_config('scheduler.change', 'none', true) AS via
)
UPDATE scheduler_job AS job
   SET state = 'finished', state_reason = 'It has no further fire time.', state_changed_by = '',
       state_changed_at = coalesce(%(now)s::timestamptz, now())
  FROM said
 WHERE job.djangojob_ptr_id = ANY(%(jobs)s::text[])
