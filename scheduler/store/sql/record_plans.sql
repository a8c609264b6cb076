-- Write one row of the ledger for each planned fire time.
--
-- Locks:   the rows that it inserts; the caller holds the rows of their jobs.
-- Params:  now    timestamptz or NULL; node uuid, the owner of rows with owned = true
--          jobs, scheduled_at: arrays of one length; delays (seconds), covers_from, coalesced, states, held, owned,
--          reason_codes text[] and reason_params jsonb as text[]: of the same length, or NULL, as for most claims: no
--          delay, no range, queued, not held, not owned, without a reason
-- Rows:    place (from 1); id; job_name, task, args, kwargs, executor, timeout, as the job has them now that it is
--          locked; a row that is missing conflicted with scheduler_run_once_per_fire_time
-- Index:   scheduler_run_once_per_fire_time

WITH plan AS (
    SELECT plan.job_id, plan.scheduled_at, plan.covers_from, coalesce(plan.coalesced, 0) AS coalesced,
           plan.scheduled_at + coalesce(plan.delay, 0) * interval '1 second' AS due_at,
           coalesce(plan.state, 'queued') AS state, coalesce(plan.reason_code, '') AS reason_code, plan.reason_params,
           coalesce(plan.held, false) AS held, CASE WHEN plan.owned THEN %(node)s::uuid END AS node,
           clock.at, CASE WHEN plan.state <> 'queued' THEN clock.at END AS finished_at, plan.place
      FROM unnest(%(jobs)s::text[], %(scheduled_at)s::timestamptz[], %(delays)s::float8[],
                  %(covers_from)s::timestamptz[], %(coalesced)s::int[], %(states)s::text[], %(reason_codes)s::text[],
                  %(reason_params)s::text[], %(held)s::boolean[], %(owned)s::boolean[])
           WITH ORDINALITY
        AS plan (job_id, scheduled_at, delay, covers_from, coalesced, state, reason_code, reason_params, held,
                 owned, place)
     CROSS JOIN (SELECT coalesce(%(now)s::timestamptz, now()) AS at) AS clock
), inserted AS (
    INSERT INTO scheduler_run ({columns_of_a_run})
    SELECT {planned_run}
      FROM plan
      -- One by one: joined freely, all jobs may be read for each claim.
     CROSS JOIN LATERAL (SELECT own.*, CASE own.queue WHEN 'default' THEN own.executor
                                            ELSE own.executor || '@' || own.queue END AS track
                           FROM scheduler_job AS own
                          WHERE own.djangojob_ptr_id = plan.job_id
                          LIMIT 1) AS job
     ORDER BY plan.place
        ON CONFLICT (job_id, scheduled_at, attempt) DO NOTHING
    RETURNING id, job_id, job_name, task, args, kwargs, scheduled_at, executor, timeout
)
SELECT plan.place, inserted.id, inserted.job_name, inserted.task, inserted.args::text, inserted.kwargs::text,
       inserted.executor, inserted.timeout
  FROM inserted
  JOIN plan ON plan.job_id = inserted.job_id AND plan.scheduled_at = inserted.scheduled_at
