-- Put reminders of open incidents into the outbox, to the channels that announced their opening: an hour after the
-- message before, then twice as long, until somebody acknowledges them.
--
-- Locks:   the incidents, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  delays float8[], seconds before the first, the second, … reminder; the last one holds for all that follow
-- Rows:    thread, incidents
-- Index:   scheduler_incident_remind; scheduler_incident_opened_in; scheduler_notification_thread

WITH due AS MATERIALIZED (
    SELECT DISTINCT incident.opened_in AS thread
      FROM scheduler_incident AS incident
     WHERE incident.closed_at IS NULL
       AND incident.remind_at <= now()
       AND incident.opened_in IS NOT NULL
       AND NOT EXISTS (SELECT 1
                         FROM scheduler_mute AS mute
                        WHERE mute.job_key = incident.job_key
                          AND mute.until > now())
     LIMIT 200
), chosen AS MATERIALIZED (
    SELECT incident.id
      FROM scheduler_incident AS incident
      JOIN due ON due.thread = incident.opened_in
     WHERE incident.closed_at IS NULL
       AND incident.remind_at <= now() + interval '5 minutes'
     ORDER BY incident.id
     LIMIT 5000
       FOR UPDATE OF incident SKIP LOCKED
), announced AS (
    UPDATE scheduler_incident AS incident
       SET reminders = least(incident.reminders, 2147483646) + 1,
           remind_at = now() + (%(delays)s::float8[])[least(least(incident.reminders, 1000) + 2, cardinality(%(delays)s::float8[]))]
                               * interval '1 second'
      FROM chosen
     WHERE incident.id = chosen.id
    RETURNING incident.id, incident.opened_in AS thread, incident.rule_id, incident.rule_name, incident.severity
), batches AS (
    SELECT announced.thread, min(announced.rule_id) AS rule_id, min(announced.rule_name) AS rule_name, min(announced.severity) AS severity,
           count(*) AS incidents
      FROM announced
     GROUP BY announced.thread
), sent AS (
    INSERT INTO scheduler_notification (id, channel_id, rule_id, rule_name, kind, severity, batch, thread, due_at)
    SELECT gen_random_uuid(), heard.channel_id, batches.rule_id, batches.rule_name, 'reminder', batches.severity,
           batches.thread, batches.thread, clock_timestamp()
      FROM batches
     CROSS JOIN LATERAL (SELECT DISTINCT opened.channel_id
                           FROM scheduler_notification AS opened
                          WHERE opened.thread = batches.thread
                            AND opened.kind IN ('opened', 'escalated')
                            AND opened.state = 'sent') AS heard
     WHERE NOT EXISTS (SELECT 1
                         FROM scheduler_notification AS waiting
                        WHERE waiting.thread = batches.thread
                          AND waiting.channel_id = heard.channel_id
                          AND waiting.kind = 'reminder'
                          AND waiting.state = 'pending')
)
SELECT batches.thread::text, batches.incidents FROM batches
