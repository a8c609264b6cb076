-- Check whether incidents or messages wait, which a sender does twice a second. Most of the time none does.
--
-- Locks:   none.
-- Params:  none
-- Rows:    one: whether incidents opened, ended, changed, are due for a reminder, may be escalated; whether a message is
--          due
-- Index:   scheduler_incident_untold; scheduler_incident_end_untold; scheduler_incident_changed;
--          scheduler_incident_remind; scheduler_notification_due

SELECT EXISTS (SELECT FROM scheduler_incident AS incident WHERE incident.opened_in IS NULL) AS openings,
       EXISTS (SELECT
                 FROM scheduler_incident AS incident
                WHERE incident.closed_at IS NOT NULL
                  AND incident.closed_in IS NULL
                  AND incident.opened_in IS NOT NULL) AS closings,
       EXISTS (SELECT
                 FROM scheduler_incident AS incident
                WHERE incident.changed_at IS NOT NULL
                  AND incident.opened_in IS NOT NULL) AS changes,
       EXISTS (SELECT
                 FROM scheduler_incident AS incident
                WHERE incident.closed_at IS NULL
                  AND incident.remind_at <= now()) AS reminders,
       EXISTS (SELECT
                 FROM scheduler_rule AS rule
                 JOIN scheduler_incident AS incident ON incident.rule_id = rule.id
                WHERE rule.escalate_after IS NOT NULL
                  AND incident.closed_at IS NULL
                  AND incident.remind_at IS NOT NULL
                  AND incident.escalated_at IS NULL) AS escalations,
       EXISTS (SELECT
                 FROM scheduler_notification AS notification
                WHERE notification.state = 'pending'
                  AND (notification.due_at <= clock_timestamp() OR notification.created_at > clock_timestamp())) AS messages
