-- Jobs in the schedule, for longer than a rule says, that had no success for as long.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; rule bigint, or NULL for all
-- Rows:    rule id, job id, the rule's seconds, run (NULL), facts (JSON)
-- Index:   scheduler_run_once_per_fire_time: some rows for each job that the rule watches

WITH clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
)
SELECT rule.id, job.djangojob_ptr_id, rule.seconds, NULL::bigint, '{}'
  FROM scheduler_rule AS rule
 CROSS JOIN clock
  JOIN scheduler_job AS job ON job.state IN ('active', 'broken')
 WHERE rule.enabled
   AND rule.kind = 'silent'
   AND rule.id = coalesce(%(rule)s::bigint, rule.id)
   AND greatest(job.created_at, CASE WHEN job.state = 'active' THEN job.state_changed_at END)
       <= clock.now - greatest(0, least(rule.seconds, 1e9)) * interval '1 second'
   AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
   AND NOT EXISTS (SELECT 1
                     FROM scheduler_run AS run
                    WHERE run.job_id = job.djangojob_ptr_id
                      AND run.scheduled_at > clock.now - greatest(0, least(rule.seconds, 1e9)) * interval '1 second' - interval '1 day'
                      AND run.finished_at > clock.now - greatest(0, least(rule.seconds, 1e9)) * interval '1 second'
                      AND run.state = 'succeeded')
