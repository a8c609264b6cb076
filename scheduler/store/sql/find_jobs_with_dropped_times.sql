-- Jobs of which more fire times were missed or skipped within a duration than a rule allows. Those
-- that were left out on purpose do not count.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; rule bigint, or NULL for all
-- Rows:    rule id, job id, how many fire times, run (NULL), facts (JSON)
-- Index:   scheduler_rollup_hour: roll-ups are by the hour, so the window begins with a whole one

SELECT rule.id, job.djangojob_ptr_id, sum(rollup.missed::bigint + rollup.skipped - rollup.left_out)::float8, NULL::bigint, '{}'
  FROM scheduler_rule AS rule
  JOIN scheduler_rollup AS rollup
    ON rollup.hour >= date_bin('1 hour', coalesce(%(now)s::timestamptz, clock_timestamp())
                                         - greatest(0, least(rule.seconds, 1e9)) * interval '1 second', 'epoch')
   AND rollup.missed::bigint + rollup.skipped - rollup.left_out > 0
  JOIN scheduler_job AS job ON job.djangojob_ptr_id = rollup.job_key
 WHERE rule.enabled
   AND rule.kind = 'dropped'
   AND rule.id = coalesce(%(rule)s::bigint, rule.id)
   AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
 GROUP BY rule.id, job.djangojob_ptr_id
HAVING sum(rollup.missed::bigint + rollup.skipped - rollup.left_out) > rule.threshold
