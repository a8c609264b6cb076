-- Jobs with a fire time that is further back than a rule says, and not finished.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; rule bigint, or NULL for all
-- Rows:    rule id, job id, seconds since the fire time, run (NULL: not planned), facts (JSON)
-- Index:   django_apscheduler_djangojob (next_run_time); scheduler_run_active_of_job

WITH clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), over AS (
    SELECT rule.id AS rule_id, job.djangojob_ptr_id AS job_id, parent.next_run_time AS fire_time, NULL::bigint AS run
      FROM scheduler_rule AS rule
     CROSS JOIN clock
      JOIN django_apscheduler_djangojob AS parent
        ON parent.next_run_time <= clock.now - greatest(0, least(rule.seconds, 1e9)) * interval '1 second'
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE rule.enabled
       AND rule.kind = 'deadline'
       AND rule.id = coalesce(%(rule)s::bigint, rule.id)
       AND job.state = 'active'
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
     UNION ALL
    SELECT rule.id, run.job_id, run.scheduled_at, run.id
      FROM scheduler_rule AS rule
     CROSS JOIN clock
      JOIN scheduler_run AS run ON run.scheduled_at <= clock.now - greatest(0, least(rule.seconds, 1e9)) * interval '1 second'
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
     WHERE rule.enabled
       AND rule.kind = 'deadline'
       AND rule.id = coalesce(%(rule)s::bigint, rule.id)
       AND run.finished_at IS NULL
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
)
SELECT DISTINCT ON (over.rule_id, over.job_id)
       over.rule_id, over.job_id, date_part('epoch', clock.now - over.fire_time), over.run, '{}'
  FROM over
 CROSS JOIN clock
 ORDER BY over.rule_id, over.job_id, over.fire_time
