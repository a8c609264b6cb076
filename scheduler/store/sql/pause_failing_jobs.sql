-- Pause jobs that failed too often in a row. “said” is how the history of jobs learns who changed them. What they owe
-- becomes a window, by triggers.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends; it holds their parent rows.
-- Params:  jobs text[], reason_codes text[], reason_params jsonb as text[] of one length; now timestamptz or NULL
-- Rows:    none
-- Index:   the primary key

WITH said AS MATERIALIZED (
    SELECT set_config('scheduler.change', '{"via": "scheduler"}', true) AS via
), failing AS MATERIALIZED (
    SELECT *
      FROM unnest(%(jobs)s::text[], %(reason_codes)s::text[], %(reason_params)s::text[])
        AS failing (id, reason_code, reason_params)
), stopped AS (
    UPDATE django_apscheduler_djangojob AS parent
       SET next_run_time = NULL
      FROM failing
     WHERE parent.id = failing.id
)
UPDATE scheduler_job AS job
   SET state = 'paused', state_reason = '', reason_code = failing.reason_code,
       reason_params = failing.reason_params::jsonb, state_changed_by = '', version = least(job.version, 2147483646) + 1,
       paused_until = NULL, interrupted_at = NULL, state_changed_at = coalesce(%(now)s::timestamptz, now())
  FROM failing, said
 WHERE job.djangojob_ptr_id = failing.id
