-- The jobs of which something that is due has not begun, or whose last fire times all passed without a run.
--
-- Locks:   none.
-- Params:  jobs text[] or NULL, of all jobs; late float8, seconds after which what is due should have begun;
--          fire_times int, how many in a row may pass without a run; most int, the most rows
-- Rows:    job id; since when the oldest waits (NULL: nothing waits for too long); how many fire times in a row were
--          missed or skipped, 0 if fewer than fire_times. Those of most fire times come first
-- Index:   django_apscheduler_djangojob (next_run_time); scheduler_run_active_of_job, from one job to the next;
--          those of stalled_jobs

WITH RECURSIVE clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now, clock_timestamp() - %(late)s * interval '1 second' AS late
), busy (job_id) AS (
    (SELECT run.job_id
       FROM scheduler_run AS run
      WHERE run.finished_at IS NULL AND run.job_id IS NOT NULL AND %(jobs)s::text[] IS NULL
      ORDER BY run.job_id
      LIMIT 1)
    UNION ALL
    SELECT following.job_id
      FROM busy
     CROSS JOIN LATERAL (
           SELECT run.job_id
             FROM scheduler_run AS run
            WHERE run.finished_at IS NULL AND run.job_id > busy.job_id
            ORDER BY run.job_id
            LIMIT 1) AS following
), looked_at AS (
    SELECT busy.job_id FROM busy
    UNION ALL
    SELECT asked.id FROM unnest(%(jobs)s::text[]) AS asked (id)
), queued AS (
    SELECT looked_at.job_id, late.since
      FROM looked_at
     CROSS JOIN clock
     CROSS JOIN LATERAL (
           SELECT greatest(run.due_at, run.created_at) AS since
             FROM scheduler_run AS run
            WHERE run.job_id = looked_at.job_id
              AND run.finished_at IS NULL AND run.state = 'queued'
              AND run.due_at < clock.late AND run.created_at < clock.late
            LIMIT 1) AS late
), unplanned AS (
    SELECT parent.id AS job_id, parent.next_run_time AS since
      FROM django_apscheduler_djangojob AS parent
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     CROSS JOIN clock
     WHERE parent.next_run_time < clock.late
       AND job.state = 'active'
       AND (%(jobs)s::text[] IS NULL OR parent.id = ANY(%(jobs)s::text[]))
), {stalled_jobs}
SELECT found.job_id, min(found.since), max(found.fire_times)
  FROM (SELECT queued.job_id, queued.since, 0 AS fire_times FROM queued
        UNION ALL
        SELECT unplanned.job_id, unplanned.since, 0 FROM unplanned
        UNION ALL
        SELECT passed.job_id, NULL, passed.fire_times FROM passed) AS found
 GROUP BY found.job_id
 ORDER BY max(found.fire_times) DESC
 LIMIT %(most)s
