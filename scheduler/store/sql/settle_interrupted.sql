-- Incidents of the kind failing that no failure of a node's own recording shows: open one where runs that were
-- interrupted, because their node is gone, make up so many failures in a row as a rule says; close those whose job has
-- succeeded since, also when the node died before it could say so.
--
-- Locks:   the incidents, until the caller's transaction ends; what somebody else has locked is left for the next time.
-- Params:  now timestamptz or NULL
-- Rows:    one: how many were opened, and how many closed
-- Index:   scheduler_run_unsuccessful; scheduler_run_once_per_fire_time; scheduler_incident_open_job

WITH clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), recent AS MATERIALIZED (
    SELECT run.job_id, max(run.id) AS run_id, max(run.finished_at) AS finished_at
      FROM scheduler_run AS run
     CROSS JOIN clock
     WHERE run.error IS NOT NULL
       AND run.finished_at > clock.now - interval '15 minutes'
       AND run.state = 'interrupted'
       AND run.job_id IS NOT NULL
     GROUP BY run.job_id
     LIMIT 2000
), failing AS MATERIALIZED (
    SELECT recent.*, (scheduler_failures_in_a_row(recent.job_id)).failures AS failures
      FROM recent
), opened AS (
    INSERT INTO scheduler_incident (
           rule_id, rule_name, kind, severity, subject, job_key, job_name, opened_at, last_at, count, measured, text,
           facts, run, error_kinds)
    SELECT rule.id, rule.name, rule.kind, rule.severity, 'job:' || job.djangojob_ptr_id, job.djangojob_ptr_id, job.name,
           clock.now, greatest(failing.finished_at, clock.now), failing.failures, failing.failures,
           left(split_part(run.error, E'\n', 1), 500), '{}', run.id, ARRAY[scheduler_error_kind(run.error)]
      FROM failing
     CROSS JOIN clock
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = failing.job_id
      JOIN scheduler_run AS run ON run.id = failing.run_id
      JOIN scheduler_rule AS rule
        ON rule.enabled
       AND rule.kind = 'failing'
       AND rule.threshold <= failing.failures
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
     WHERE (job.state <> 'paused' OR job.state_changed_by = '')
       -- One that was closed since, by hand or because the job was edited, is not opened again for the same run.
       AND NOT EXISTS (SELECT 1
                         FROM scheduler_incident AS earlier
                        WHERE earlier.rule_id = rule.id
                          AND earlier.job_key = job.djangojob_ptr_id
                          AND (earlier.closed_at IS NULL OR earlier.closed_at >= failing.finished_at
                               OR earlier.run >= failing.run_id))
     ORDER BY rule.id, job.djangojob_ptr_id
        ON CONFLICT (rule_id, subject) WHERE closed_at IS NULL DO NOTHING
    RETURNING id
), over AS MATERIALIZED (
    SELECT incident.id
      FROM scheduler_incident AS incident
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = incident.job_key
     WHERE incident.closed_at IS NULL
       AND incident.kind = 'failing'
       AND (job.consecutive_failures = 0
            OR EXISTS (SELECT 1
                         FROM scheduler_node AS node
                        CROSS JOIN clock
                        WHERE node.state = 'lost'
                          AND node.stopped_at > clock.now - interval '15 minutes'))
       AND ((scheduler_failures_in_a_row(incident.job_key)).succeeded_at > incident.last_at
            AND (scheduler_failures_in_a_row(incident.job_key)).failures = 0)
     ORDER BY incident.id
     LIMIT 2000
       FOR UPDATE OF incident SKIP LOCKED
), closed AS (
    UPDATE scheduler_incident AS incident
       SET closed_at = greatest(clock.now, incident.opened_at), closed_because = 'recovered'
      FROM over
     CROSS JOIN clock
     WHERE incident.id = over.id
    RETURNING incident.id
)
SELECT (SELECT count(*) FROM opened), (SELECT count(*) FROM closed)
