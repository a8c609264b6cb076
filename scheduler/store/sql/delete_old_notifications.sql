-- Delete messages from before an instant that do not wait to be sent, and whose incidents are gone or were never any.
--
-- Locks:   the rows, until the caller's transaction ends; what somebody else has locked is left for the next time.
-- Params:  cutoff timestamptz; limit int
-- Rows:    id
-- Index:   scheduler_notification_newest; scheduler_incident_opened_in

DELETE FROM scheduler_notification AS notification
 WHERE notification.id = ANY (ARRAY(SELECT old.id
                                      FROM scheduler_notification AS old
                                     WHERE old.created_at < %(cutoff)s::timestamptz
                                       AND old.state <> 'pending'
                                       AND NOT EXISTS (SELECT 1
                                                         FROM scheduler_incident AS incident
                                                        WHERE incident.opened_in = old.thread)
                                     LIMIT %(limit)s::int
                                       FOR UPDATE SKIP LOCKED))
RETURNING notification.id
