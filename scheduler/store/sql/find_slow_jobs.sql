-- Jobs with a run that goes on for longer than a rule says, or than its usual run time so many times over.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; rule bigint, or NULL for all
-- Rows:    rule id, job id, seconds since the run began, run, facts (JSON): usual, in seconds
-- Index:   scheduler_run_active_of_job; scheduler_run_once_per_fire_time for up to 100 rows of each running job

WITH clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), running AS MATERIALIZED (
    SELECT run.id, run.job_id, run.started_at, rule.id AS rule_id, rule.seconds, rule.factor, rule.samples
      FROM scheduler_rule AS rule
      JOIN scheduler_run AS run ON run.finished_at IS NULL AND run.state = 'running'
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
     WHERE rule.enabled
       AND rule.kind = 'slow'
       AND rule.id = coalesce(%(rule)s::bigint, rule.id)
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
), judged AS (
    SELECT running.*, date_part('epoch', clock.now) - date_part('epoch', running.started_at) AS took, usual.seconds AS usual
      FROM running
     CROSS JOIN clock
      LEFT JOIN LATERAL (
           SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY latest.took) AS seconds, count(*) AS runs
             FROM (SELECT date_part('epoch', run.finished_at) - date_part('epoch', run.started_at) AS took
                     FROM scheduler_run AS run
                    WHERE run.job_id = running.job_id
                      AND run.state = 'succeeded'
                    ORDER BY run.scheduled_at DESC, run.attempt DESC
                    LIMIT 100) AS latest) AS usual
        ON running.factor IS NOT NULL AND usual.runs >= running.samples
)
SELECT DISTINCT ON (judged.rule_id, judged.job_id)
       judged.rule_id, judged.job_id, judged.took, judged.id,
       jsonb_strip_nulls(jsonb_build_object('usual', judged.usual))::text
  FROM judged
 WHERE judged.took >= judged.seconds
    OR judged.took >= judged.usual * judged.factor
 ORDER BY judged.rule_id, judged.job_id, judged.started_at
