-- A success ends the count of failures in a row.
--
-- Locks:   the parent rows of the jobs, by id, and then the jobs: the order that claims and services keep.
-- Params:  runs bigint[], runs that were just recorded
-- Rows:    none
-- Index:   scheduler_job_failing, which is short

WITH failing AS MATERIALIZED (
    SELECT parent.id
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id IN (SELECT job.djangojob_ptr_id
                           FROM scheduler_job AS job
                          WHERE job.consecutive_failures > 0
                            AND EXISTS (SELECT 1
                                          FROM scheduler_run AS run
                                         WHERE run.id = ANY(%(runs)s::bigint[])
                                           AND run.job_id = job.djangojob_ptr_id
                                           AND run.state = 'succeeded'))
     ORDER BY parent.id
       FOR UPDATE
)
UPDATE scheduler_job AS job
   SET consecutive_failures = 0
  FROM failing
 WHERE job.djangojob_ptr_id = failing.id
   AND job.consecutive_failures > 0
