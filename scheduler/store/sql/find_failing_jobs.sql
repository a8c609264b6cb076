-- Jobs that fail as often in a row as a rule says. The database judges them as failures are recorded; this is for a rule
-- that is new or was changed.
--
-- Locks:   none.
-- Params:  rule bigint
-- Rows:    rule id, job id, failures in a row, latest run (NULL), facts (JSON)
-- Index:   scheduler_job_failing, which is short

SELECT rule.id, job.djangojob_ptr_id, job.consecutive_failures::float8, NULL::bigint, '{}'
  FROM scheduler_rule AS rule
  JOIN scheduler_job AS job ON job.consecutive_failures > 0 AND job.consecutive_failures >= rule.threshold
 WHERE rule.enabled
   AND rule.kind = 'failing'
   AND rule.id = %(rule)s::bigint
   AND (job.state <> 'paused' OR job.state_changed_by = '')
   AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
