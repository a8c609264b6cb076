-- Lock the jobs of runs, before the runs themselves are touched: the order that claims and services keep.
--
-- Locks:   the parent rows and the jobs, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  runs bigint[]
-- Rows:    id of each run whose job was passed by
-- Index:   the primary keys

WITH wanted AS (
    SELECT run.id, run.job_id
      FROM scheduler_run AS run
     WHERE run.id = ANY(%(runs)s::bigint[])
       AND run.job_id IS NOT NULL
), locked AS MATERIALIZED (
    SELECT parent.id
      FROM django_apscheduler_djangojob AS parent
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE parent.id IN (SELECT wanted.job_id FROM wanted)
     ORDER BY parent.id
       FOR UPDATE OF parent SKIP LOCKED
       FOR NO KEY UPDATE OF job SKIP LOCKED
)
SELECT wanted.id
  FROM wanted
 WHERE NOT EXISTS (SELECT 1 FROM locked WHERE locked.id = wanted.job_id)
