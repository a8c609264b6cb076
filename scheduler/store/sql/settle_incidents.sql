-- Open an incident for each subject that a rule's condition holds for, and close those for which it does not hold any
-- more. Those that are open already stay as they are.
--
-- Locks:   the rows that it writes, until the caller's transaction ends; what somebody else has locked is left for the
--          next time.
-- Params:  kind text; now timestamptz or NULL; rule bigint, or NULL for all of the kind; because text, for those that
--          end; by text; arrays of one length: rules bigint[], subjects text[], jobs text[] (NULL: no job; with a
--          slash before it, an enqueued task),
--          measures float8[], runs bigint[], facts text[] (JSON)
-- Rows:    id; whether it was opened (or closed)
-- Index:   scheduler_incident_one_open

WITH found AS (
    SELECT holding.*, coalesce(job.name, substr(holding.job_id, 2)) AS job_name
      FROM unnest(%(rules)s::bigint[], %(subjects)s::text[], %(jobs)s::text[], %(measures)s::float8[],
                  %(runs)s::bigint[], %(facts)s::text[]) AS holding (rule_id, subject, job_id, measured, run, facts)
      LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = holding.job_id
     WHERE holding.job_id IS NULL OR job.djangojob_ptr_id IS NOT NULL OR starts_with(holding.job_id, '/')
), ended AS MATERIALIZED (
    SELECT incident.id
      FROM scheduler_incident AS incident
     WHERE incident.closed_at IS NULL
       AND incident.kind = %(kind)s
       AND coalesce(incident.rule_id, 0) = coalesce(%(rule)s::bigint, incident.rule_id, 0)
       AND NOT EXISTS (SELECT 1
                         FROM found
                        WHERE found.rule_id = incident.rule_id
                          AND found.subject = incident.subject)
     ORDER BY incident.id
       FOR UPDATE SKIP LOCKED
), closed AS (
    UPDATE scheduler_incident AS incident
       SET closed_at = greatest(coalesce(%(now)s::timestamptz, now()), incident.opened_at),
           closed_because = %(because)s, closed_by = %(by)s
      FROM ended
     WHERE incident.id = ended.id
    RETURNING incident.id
), opened AS (
    INSERT INTO scheduler_incident (
           rule_id, rule_name, kind, severity, subject, job_key, job_name, opened_at, last_at, count, measured, text,
           facts, run)
    SELECT rule.id, rule.name, rule.kind, rule.severity, found.subject, coalesce(found.job_id, ''),
           coalesce(found.job_name, ''), coalesce(%(now)s::timestamptz, now()), coalesce(%(now)s::timestamptz, now()),
           1, found.measured, '', found.facts::jsonb, found.run
      FROM found
      JOIN scheduler_rule AS rule ON rule.id = found.rule_id
     ORDER BY found.rule_id, found.subject
        ON CONFLICT (rule_id, subject) WHERE closed_at IS NULL DO NOTHING
    RETURNING id
)
SELECT opened.id, true FROM opened
 UNION ALL
SELECT closed.id, false FROM closed
