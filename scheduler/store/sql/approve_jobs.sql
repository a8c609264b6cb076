-- Enter inspected jobs into the schedule, or restore them. “said” tells the history of jobs who changed them.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends.
-- Params:  arrays of one length: jobs text[], versions int[], triggers jsonb as text[], states text[],
--          next_run_times timestamptz[]; now timestamptz or NULL
-- Rows:    id; a job that was changed meanwhile (another version) is left out
-- Index:   the primary key

WITH said AS MATERIALIZED (
    SELECT set_config('scheduler.change', '{"via": "scheduler"}', true) AS via
), fit AS (
    SELECT *
      FROM unnest(%(jobs)s::text[], %(versions)s::int[], %(triggers)s::text[], %(states)s::text[],
                  %(next_run_times)s::timestamptz[]) AS fit (id, version, trigger, state, next_run_time)
), vouched AS (
    UPDATE scheduler_job AS job
       SET needs_inspection = false, needs_rescheduling = false, trigger = fit.trigger::jsonb, state = fit.state, interrupted_at = NULL,
           paused_until = CASE WHEN fit.state = 'paused' THEN job.paused_until END,
           consecutive_failures = CASE WHEN job.state = 'paused' AND fit.state <> 'paused' THEN 0
                                       ELSE job.consecutive_failures END,
           state_reason = CASE WHEN fit.state = job.state THEN job.state_reason ELSE '' END,
           reason_code = CASE WHEN fit.state = job.state THEN job.reason_code ELSE '' END,
           reason_params = CASE WHEN fit.state = job.state THEN job.reason_params END,
           state_changed_by = CASE WHEN fit.state = job.state THEN job.state_changed_by ELSE '' END,
           state_changed_at = CASE WHEN fit.state = job.state THEN job.state_changed_at
                                   ELSE coalesce(%(now)s::timestamptz, now()) END,
           version = least(job.version, 2147483646) + 1
      FROM fit, said
     WHERE job.djangojob_ptr_id = fit.id
       AND job.version = fit.version
    RETURNING job.djangojob_ptr_id
), scheduled AS (
    UPDATE django_apscheduler_djangojob AS parent
       SET next_run_time = fit.next_run_time
      FROM fit
      JOIN vouched ON vouched.djangojob_ptr_id = fit.id
     WHERE parent.id = fit.id
)
SELECT vouched.djangojob_ptr_id FROM vouched
