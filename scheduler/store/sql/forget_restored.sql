-- Forget a restored job that has the runs of its past.
--
-- Locks:   the row, for the length of the statement.
-- Params:  job text
-- Rows:    none
-- Index:   the primary key

DELETE FROM scheduler_restored AS restored
 WHERE restored.job_key = %(job)s
