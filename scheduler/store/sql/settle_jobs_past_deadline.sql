-- Settle incidents of jobs with a fire time that is not finished in time (find_jobs_past_deadline).
--
-- Locks:   those of settle_holding.
-- Params:  kind text; now timestamptz or NULL; rule bigint, or NULL for all of the kind; because text, for those that
--          end; by text
-- Rows:    one: how many were opened, and how many closed
-- Index:   those of settle_holding and find_jobs_past_deadline

WITH holding AS (
    SELECT found.rule_id, 'job:' || found.job_id AS subject, found.job_id, found.measured, found.run, found.facts
      FROM ({find_jobs_past_deadline}) AS found (rule_id, job_id, measured, run, facts)
), {settle_holding}
