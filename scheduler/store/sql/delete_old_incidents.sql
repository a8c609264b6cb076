-- Delete incidents that closed before an instant.
--
-- Locks:   the rows, until the caller's transaction ends; what somebody else has locked is left for the next time.
-- Params:  cutoff timestamptz; limit int
-- Rows:    id
-- Index:   none: there are few incidents

DELETE FROM scheduler_incident AS incident
 WHERE incident.id = ANY (ARRAY(SELECT old.id
                                  FROM scheduler_incident AS old
                                 WHERE old.closed_at < %(cutoff)s::timestamptz
                                 LIMIT %(limit)s::int
                                   FOR UPDATE SKIP LOCKED))
RETURNING incident.id
