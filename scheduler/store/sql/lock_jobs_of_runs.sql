-- Lock the jobs of runs, before the runs themselves are touched: the order that claims and services keep.
--
-- Locks:   the parent rows, until the caller's transaction ends.
-- Params:  runs bigint[]
-- Rows:    id
-- Index:   the primary keys

SELECT parent.id
  FROM django_apscheduler_djangojob AS parent
 WHERE parent.id IN (SELECT run.job_id FROM scheduler_run AS run WHERE run.id = ANY(%(runs)s::bigint[]))
 ORDER BY parent.id
   FOR UPDATE
