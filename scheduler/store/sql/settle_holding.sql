-- Open an incident for each subject that a rule's condition holds for, and close those for which it does not hold any
-- more: the queries that follow “holding”, in each statement that settles a kind. Those that are open already stay as
-- they are. What holds does not leave the database: there may be a million of them.
--
-- Which ones have ended is found by grouping. A join with “holding”, of whose size the planner knows too little, may
-- compare each of them with each.
--
-- Locks:   the rows that it writes, until the caller's transaction ends; what somebody else has locked is left for the
--          next time.
-- Params:  kind text; now timestamptz or NULL; rule bigint, or NULL for all of the kind; because text, for those that
--          end; by text. The including statement has a query “holding (rule_id, subject, job_id, measured, run, facts)”,
--          in which a job_id is NULL (no job), or with a slash before it an enqueued task, and facts are JSON
-- Rows:    one: how many were opened, and how many closed
-- Index:   scheduler_incident_one_open

found AS MATERIALIZED (
    SELECT holding.*, coalesce(job.name, substr(holding.job_id, 2)) AS job_name
      FROM holding
      LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = holding.job_id
     WHERE holding.job_id IS NULL OR job.djangojob_ptr_id IS NOT NULL OR starts_with(holding.job_id, '/')
), over AS (
    SELECT unnest(array_agg(looked_at.id)) AS id
      FROM (SELECT found.rule_id, found.subject, NULL::bigint AS id FROM found
             UNION ALL
            SELECT incident.rule_id, incident.subject, incident.id
              FROM scheduler_incident AS incident
             WHERE incident.closed_at IS NULL
               AND incident.kind = %(kind)s
               AND coalesce(incident.rule_id, 0) = coalesce(%(rule)s::bigint, incident.rule_id, 0)) AS looked_at
     GROUP BY looked_at.rule_id, looked_at.subject
    HAVING bool_and(looked_at.id IS NOT NULL)
), ended AS MATERIALIZED (
    SELECT incident.id
      FROM scheduler_incident AS incident
     WHERE incident.id IN (SELECT over.id FROM over)
       AND incident.closed_at IS NULL
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
SELECT (SELECT count(*) FROM opened), (SELECT count(*) FROM closed)
