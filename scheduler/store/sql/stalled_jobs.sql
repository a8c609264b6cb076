-- Find the active jobs whose last fire times all passed without a run: the queries “reasoned” and “passed (job_id,
-- fire_times)”, which jobs_not_started and count_stalled_jobs include.
--
-- Locks:   none.
-- Params:  jobs text[] or NULL, of all jobs; fire_times int, how many in a row may pass without a run
-- Rows:    job id; how many fire times in a row were missed or skipped
-- Index:   scheduler_run_reasoned_of_job: a missed or skipped run says why; scheduler_run_once_per_fire_time

reasoned AS MATERIALIZED (
    -- Of most jobs no run ever passed: the look at their newest runs is spared.
    SELECT job.djangojob_ptr_id AS job_id
      FROM scheduler_job AS job
     WHERE job.state = 'active'
       AND (%(jobs)s::text[] IS NULL OR job.djangojob_ptr_id = ANY(%(jobs)s::text[]))
       AND EXISTS (
           SELECT 1
             FROM scheduler_run AS run
            WHERE run.job_id = job.djangojob_ptr_id
              AND run.finished_at IS NOT NULL AND (NOT run.reason_code = '' OR NOT run.reason = ''))
), passed AS (
    SELECT reasoned.job_id, streak.fire_times
      FROM reasoned
     CROSS JOIN LATERAL (
           SELECT newest.state, newest.reason_code
             FROM scheduler_run AS newest
            WHERE newest.job_id = reasoned.job_id
            ORDER BY newest.scheduled_at DESC, newest.attempt DESC
            LIMIT 1) AS last
     CROSS JOIN LATERAL (
           SELECT sum(told.fire_times) FILTER (WHERE told.passed) AS fire_times
             FROM (SELECT newest.coalesced::bigint + 1 AS fire_times,
                          bool_and(newest.state IN ('missed', 'skipped')
                                   AND NOT starts_with(newest.reason_code, 'left_out'))
                          OVER (ORDER BY newest.scheduled_at DESC, newest.attempt DESC) AS passed
                     FROM scheduler_run AS newest
                    WHERE newest.job_id = reasoned.job_id
                    ORDER BY newest.scheduled_at DESC, newest.attempt DESC
                    LIMIT %(fire_times)s) AS told) AS streak
     WHERE last.state IN ('missed', 'skipped')
       AND NOT starts_with(last.reason_code, 'left_out')
       AND streak.fire_times >= %(fire_times)s
)
