-- Settle incidents of jobs and tasks that fail too often in a row (find_failing_jobs, find_failing_tasks).
--
-- Locks:   those of settle_holding.
-- Params:  kind text; now timestamptz or NULL; rule bigint, or NULL for all of the kind; because text, for those that
--          end; by text
-- Rows:    one: how many were opened, and how many closed
-- Index:   those of settle_holding and find_failing_jobs

WITH holding AS (
    SELECT found.rule_id, 'job:' || found.job_id AS subject, found.job_id, found.measured, found.run, found.facts
      FROM ({find_failing_jobs}) AS found (rule_id, job_id, measured, run, facts)
     UNION ALL
    SELECT failing.*
      FROM ({find_failing_tasks}) AS failing (rule_id, subject, job_id, measured, run, facts)
), {settle_holding}
