-- Jobs whose latest successes in a row, so many as a rule says, all returned a value that it looks for.
--
-- Locks:   none.
-- Params:  rule bigint, or NULL for all
-- Rows:    rule id, job id, how many in a row, the latest of these runs, facts (JSON): value
-- Index:   scheduler_run_once_per_fire_time

SELECT rule.id, job.djangojob_ptr_id, count(*)::float8, max(latest.id),
       jsonb_build_object('value', (array_agg(latest.found ORDER BY latest.id DESC))[1])::text
  FROM scheduler_rule AS rule
  JOIN scheduler_job AS job ON scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
 CROSS JOIN LATERAL (
       SELECT run.id, run.result #> string_to_array(rule.path, '.') AS found
         FROM scheduler_run AS run
        WHERE run.job_id = job.djangojob_ptr_id
          AND run.state = 'succeeded'
        ORDER BY run.scheduled_at DESC, run.attempt DESC
        LIMIT rule.threshold) AS latest
 WHERE rule.enabled
   AND rule.kind = 'result'
   AND rule.id = coalesce(%(rule)s::bigint, rule.id)
   AND job.state <> 'paused'
 GROUP BY rule.id, job.djangojob_ptr_id
HAVING count(*) = rule.threshold
   AND bool_and(coalesce(CASE rule.operator
           WHEN '=' THEN latest.found = rule.value
           WHEN '!=' THEN latest.found <> rule.value
           WHEN '<' THEN jsonb_typeof(latest.found) = 'number' AND latest.found < rule.value
           WHEN '<=' THEN jsonb_typeof(latest.found) = 'number' AND latest.found <= rule.value
           WHEN '>' THEN jsonb_typeof(latest.found) = 'number' AND latest.found > rule.value
           WHEN '>=' THEN jsonb_typeof(latest.found) = 'number' AND latest.found >= rule.value END, false))
