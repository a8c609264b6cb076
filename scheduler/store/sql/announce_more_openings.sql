-- Add further incidents of a rule to the batch that was just put into the outbox: too many for one transaction.
--
-- Locks:   the incidents, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  rule bigint; batch uuid; limit int; delays float8[], of reminders
-- Rows:    id
-- Index:   scheduler_incident_untold

UPDATE scheduler_incident AS incident
   SET opened_in = %(batch)s::uuid, changed_at = NULL,
       remind_at = now() + (%(delays)s::float8[])[1] * interval '1 second'
 WHERE incident.id = ANY (ARRAY(SELECT candidate.id
                                  FROM scheduler_incident AS candidate
                                 WHERE candidate.opened_in IS NULL
                                   AND candidate.rule_id = %(rule)s::bigint
                                   AND candidate.job_key NOT IN (SELECT mute.job_key
                                                                   FROM scheduler_mute AS mute
                                                                  WHERE mute.until > now())
                                 ORDER BY candidate.id
                                 LIMIT %(limit)s::int
                                   FOR UPDATE SKIP LOCKED))
RETURNING incident.id
