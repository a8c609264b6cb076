-- Mark incidents that are never announced as settled: those that closed while their job was muted, and those whose rule
-- is gone.
--
-- Locks:   the rows, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  nobody uuid, the batch that stands for no message; limit int
-- Rows:    id
-- Index:   scheduler_incident_untold

UPDATE scheduler_incident AS incident
   SET opened_in = %(nobody)s::uuid, closed_in = %(nobody)s::uuid
 WHERE incident.id = ANY (ARRAY(SELECT candidate.id
                                  FROM scheduler_incident AS candidate
                                 WHERE candidate.opened_in IS NULL
                                   AND candidate.closed_at IS NOT NULL
                                   AND (EXISTS (SELECT 1
                                                  FROM scheduler_mute AS mute
                                                 WHERE mute.job_key = candidate.job_key
                                                   AND mute.until > now())
                                        OR NOT EXISTS (SELECT 1 FROM scheduler_rule AS rule WHERE rule.id = candidate.rule_id))
                                 ORDER BY candidate.id
                                 LIMIT %(limit)s::int
                                   FOR UPDATE SKIP LOCKED))
RETURNING incident.id
