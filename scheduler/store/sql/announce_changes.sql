-- Put messages about incidents with a new kind of error into the outbox, to the channels that announced their opening.
--
-- Locks:   the incidents, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  none
-- Rows:    thread, incidents
-- Index:   scheduler_incident_changed; scheduler_notification_thread

WITH chosen AS MATERIALIZED (
    SELECT incident.id
      FROM scheduler_incident AS incident
     WHERE incident.changed_at IS NOT NULL
       AND incident.opened_in IS NOT NULL
     ORDER BY incident.id
     LIMIT 5000
       FOR UPDATE SKIP LOCKED
), announced AS (
    UPDATE scheduler_incident AS incident
       SET changed_at = NULL
      FROM chosen
     WHERE incident.id = chosen.id
    RETURNING incident.id, incident.opened_in AS thread, incident.rule_id, incident.rule_name, incident.severity,
              incident.closed_at, incident.job_key, incident.snoozed_until
), batches AS (
    SELECT announced.thread, min(announced.rule_id) AS rule_id, min(announced.rule_name) AS rule_name, min(announced.severity) AS severity,
           count(*) AS incidents
      FROM announced
     WHERE announced.closed_at IS NULL
       AND coalesce(announced.snoozed_until, '-infinity') < now()
       AND NOT EXISTS (SELECT 1 FROM scheduler_mute AS mute WHERE mute.job_key = announced.job_key AND mute.until > now())
     GROUP BY announced.thread
), sent AS (
    INSERT INTO scheduler_notification (id, channel_id, rule_id, rule_name, kind, severity, batch, thread, due_at)
    SELECT gen_random_uuid(), heard.channel_id, batches.rule_id, batches.rule_name, 'changed', batches.severity,
           batches.thread, batches.thread, clock_timestamp()
      FROM batches
     CROSS JOIN LATERAL (SELECT DISTINCT opened.channel_id
                           FROM scheduler_notification AS opened
                          WHERE opened.thread = batches.thread
                            AND opened.kind IN ('opened', 'escalated')
                            AND opened.state = 'sent') AS heard
)
SELECT batches.thread::text, batches.incidents FROM batches
