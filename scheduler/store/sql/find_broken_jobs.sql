-- Jobs that cannot run. The database judges them as they break; this is for a rule that is new or was changed.
--
-- Locks:   none.
-- Params:  rule bigint
-- Rows:    rule id, job id, 1, run (NULL), facts (JSON)
-- Index:   scheduler_job_state

SELECT rule.id, job.djangojob_ptr_id, 1::float8, NULL::bigint,
       jsonb_strip_nulls(jsonb_build_object('state_reason', to_jsonb(job) -> 'state_reason',
                                            'reason_code', to_jsonb(job) -> 'reason_code',
                                            'reason_params', to_jsonb(job) -> 'reason_params'))::text
  FROM scheduler_rule AS rule
  JOIN scheduler_job AS job ON job.state = 'broken'
 WHERE rule.enabled
   AND rule.kind = 'broken'
   AND rule.id = %(rule)s::bigint
   AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
