-- Take jobs that cannot run out of the schedule, and remember from when on their fire times are owed.
-- “said” is how the history of jobs learns who changed them, and that nothing is passed over: the job owes it.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends.
-- Params:  jobs text[], reason_codes text[], reason_params jsonb as text[] of one length; now timestamptz or NULL
-- Rows:    id
-- Index:   the primary key

WITH said AS MATERIALIZED (
    SELECT set_config('scheduler.change', '{"via": "scheduler"}', true) AS via,
           set_config('scheduler.accounts', 'claim', true) AS by
), broken AS MATERIALIZED (
    SELECT problem.id, problem.reason_code, problem.reason_params, parent.next_run_time
      FROM said, unnest(%(jobs)s::text[], %(reason_codes)s::text[], %(reason_params)s::text[])
           AS problem (id, reason_code, reason_params)
      JOIN django_apscheduler_djangojob AS parent ON parent.id = problem.id
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE job.state IN ('active', 'broken')
        OR (job.state = 'paused' AND job.paused_until <= coalesce(%(now)s::timestamptz, now()))
), stopped AS (
    UPDATE django_apscheduler_djangojob AS parent
       SET next_run_time = NULL
      FROM broken
     WHERE parent.id = broken.id
)
UPDATE scheduler_job AS job
   SET state = 'broken', state_reason = '', reason_code = broken.reason_code,
       reason_params = broken.reason_params::jsonb, state_changed_by = '', needs_inspection = false,
       paused_until = NULL,
       state_changed_at = coalesce(%(now)s::timestamptz, now()),
       interrupted_at = least(job.interrupted_at, broken.next_run_time)
  FROM broken, said
 WHERE job.djangojob_ptr_id = broken.id
RETURNING job.djangojob_ptr_id
