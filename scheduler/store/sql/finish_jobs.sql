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
   SET state = 'finished', state_reason = '', reason_code = 'no_further_fire_time', reason_params = NULL,
       state_changed_by = '',
       state_changed_at = coalesce(%(now)s::timestamptz, now())
  FROM said
 WHERE job.djangojob_ptr_id = ANY(%(jobs)s::text[])
