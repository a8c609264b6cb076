-- Close incidents of rules that are gone, or switched off past the services.
--
-- Locks:   the rows, until the caller's transaction ends.
-- Params:  now timestamptz or NULL
-- Rows:    one: how many were closed
-- Index:   scheduler_incident_open_job

WITH closed AS (
    UPDATE scheduler_incident AS incident
       SET closed_at = greatest(coalesce(%(now)s::timestamptz, now()), incident.opened_at),
           closed_because = CASE WHEN EXISTS (SELECT FROM scheduler_rule AS rule WHERE rule.id = incident.rule_id)
                                 THEN 'rule_changed' ELSE 'rule_deleted' END
     WHERE incident.id IN (SELECT candidate.id
                             FROM scheduler_incident AS candidate
                            WHERE candidate.closed_at IS NULL
                              AND NOT EXISTS (SELECT 1
                                                FROM scheduler_rule AS rule
                                               WHERE rule.id = candidate.rule_id
                                                 AND rule.enabled
                                                 AND rule.kind = candidate.kind)
                            ORDER BY candidate.id
                              FOR UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT count(*) FROM closed
