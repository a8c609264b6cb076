-- End the count of failures in a row after a success, or count anew where the order of the outcomes is unknown.
--
-- Locks:   the parent rows of the jobs, by id, and then the jobs: the order that claims and services keep. Those that
--          somebody else has locked are passed by.
-- Params:  runs bigint[], runs that were recorded; recount boolean: failures after the success stay counted
-- Rows:    id of each success whose job was passed by
-- Index:   scheduler_job_failing, which is short

WITH wanted AS MATERIALIZED (
    SELECT run.id, run.job_id
      FROM scheduler_job AS job
      JOIN scheduler_run AS run ON run.job_id = job.djangojob_ptr_id
     WHERE job.consecutive_failures > 0
       AND run.id = ANY(%(runs)s::bigint[])
       AND run.state = 'succeeded'
), locked AS MATERIALIZED (
    SELECT parent.id
      FROM django_apscheduler_djangojob AS parent
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE parent.id IN (SELECT wanted.job_id FROM wanted)
     ORDER BY parent.id
       FOR UPDATE OF parent SKIP LOCKED
       FOR NO KEY UPDATE OF job SKIP LOCKED
), ended AS (
    UPDATE scheduler_job AS job
       SET consecutive_failures = CASE WHEN %(recount)s
           THEN least(job.consecutive_failures,
                      (SELECT latest.failures FROM scheduler_failures_in_a_row(locked.id) AS latest))
           ELSE 0 END
      FROM locked
     WHERE job.djangojob_ptr_id = locked.id
       AND job.consecutive_failures > 0
)
SELECT wanted.id
  FROM wanted
 WHERE NOT EXISTS (SELECT 1 FROM locked WHERE locked.id = wanted.job_id)
