-- Jobs that are due for longer than a rule says and have not begun: not planned, or waiting in the queue.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; rule bigint, or NULL for all
-- Rows:    rule id, job id, seconds since it was due, run (NULL: not planned), facts (JSON)
-- Index:   django_apscheduler_djangojob (next_run_time); scheduler_run_active_of_job

WITH clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), late AS (
    SELECT rule.id AS rule_id, job.djangojob_ptr_id AS job_id, parent.next_run_time AS due_at, NULL::bigint AS run
      FROM scheduler_rule AS rule
     CROSS JOIN clock
      JOIN django_apscheduler_djangojob AS parent
        ON parent.next_run_time <= clock.now - greatest(0, least(rule.seconds, 1e9)) * interval '1 second'
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE rule.enabled
       AND rule.kind = 'late'
       AND rule.id = coalesce(%(rule)s::bigint, rule.id)
       AND job.state = 'active'
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
     UNION ALL
    SELECT rule.id, run.job_id, run.due_at, run.id
      FROM scheduler_rule AS rule
     CROSS JOIN clock
      JOIN scheduler_run AS run ON run.due_at <= clock.now - greatest(0, least(rule.seconds, 1e9)) * interval '1 second'
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
     WHERE rule.enabled
       AND rule.kind = 'late'
       AND rule.id = coalesce(%(rule)s::bigint, rule.id)
       AND run.finished_at IS NULL
       AND run.state = 'queued'
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
)
SELECT DISTINCT ON (late.rule_id, late.job_id)
       late.rule_id, late.job_id, date_part('epoch', clock.now - late.due_at), late.run, '{}'
  FROM late
 CROSS JOIN clock
 ORDER BY late.rule_id, late.job_id, late.due_at
