-- Lock windows of fire times that are owed, and see how their jobs stand by now.
--
-- Locks:   the rows, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  windows bigint[]; now timestamptz or NULL
-- Rows:    id, job_key, trigger, first, until (no later than now, nor than an active job is due or owes itself, unless
--          that is computed anew), whether the job exists, its state, whether the window is the job's own debt
-- Index:   the primary keys

SELECT owed.id, owed.job_key AS job, owed.trigger::text, owed.first,
       least(owed.until, coalesce(%(now)s::timestamptz, clock_timestamp()),
             CASE WHEN job.state = 'active' AND NOT job.needs_rescheduling
                  THEN least(parent.next_run_time, job.interrupted_at) - interval '1 microsecond' END) AS until,
       job.djangojob_ptr_id IS NOT NULL AS "exists", coalesce(job.state, '') AS state,
       coalesce(job.interrupted_at <= owed.first, false) AS is_jobs_debt
  FROM scheduler_owed AS owed
  LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = owed.job_key
  LEFT JOIN django_apscheduler_djangojob AS parent ON parent.id = job.djangojob_ptr_id
 WHERE owed.id = ANY(%(windows)s::bigint[])
 ORDER BY owed.id
   FOR UPDATE OF owed SKIP LOCKED
