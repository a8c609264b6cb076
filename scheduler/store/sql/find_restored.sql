-- Find the jobs that were restored and get the runs of their past back.
--
-- Locks:   none.
-- Params:  none
-- Rows:    job_key; at most 10, the first restored first
-- Index:   none: the table has a row for each job that was restored in the last minutes

SELECT restored.job_key
  FROM scheduler_restored AS restored
 ORDER BY restored.restored_at
 LIMIT 10
