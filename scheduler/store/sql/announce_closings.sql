-- Put messages about incidents that closed into the outbox, to the channels that are announced, or will be, that they opened.
-- One batch for each message that opened, when a moment has passed without a further end among its incidents, a longer
-- one if there are several, and a minute after its last such message.
--
-- Locks:   the incidents, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  quiet, burst, most and pace float8, in seconds; limit int, the most incidents
-- Rows:    thread, incidents, batch
-- Index:   scheduler_incident_end_untold; scheduler_notification_thread

WITH waiting AS MATERIALIZED (
    SELECT incident.opened_in AS thread
      FROM scheduler_incident AS incident
     WHERE incident.closed_at IS NOT NULL
       AND incident.closed_in IS NULL
       AND incident.opened_in IS NOT NULL
     GROUP BY incident.opened_in
    HAVING max(incident.closed_at) <= clock_timestamp() - CASE count(*) WHEN 1 THEN %(quiet)s ELSE %(burst)s END
                                                      * interval '1 second'
        OR min(incident.closed_at) <= clock_timestamp() - %(most)s * interval '1 second'
        OR max(incident.closed_at) > clock_timestamp()  -- it was set back
     LIMIT 500
), due AS MATERIALIZED (
    SELECT waiting.thread, gen_random_uuid() AS batch
      FROM waiting
     WHERE NOT EXISTS (SELECT 1
                         FROM scheduler_notification AS earlier
                        WHERE earlier.thread = waiting.thread
                          AND earlier.kind = 'recovered'
                          AND earlier.created_at BETWEEN clock_timestamp() - %(pace)s * interval '1 second'
                                                     AND clock_timestamp())
), chosen AS MATERIALIZED (
    SELECT incident.id
      FROM scheduler_incident AS incident
     WHERE incident.closed_at IS NOT NULL
       AND incident.closed_in IS NULL
       AND incident.opened_in IN (SELECT due.thread FROM due)
     ORDER BY incident.id
     LIMIT %(limit)s::int
       FOR UPDATE SKIP LOCKED
), announced AS (
    UPDATE scheduler_incident AS incident
       SET closed_in = due.batch, remind_at = NULL, changed_at = NULL
      FROM chosen, due
     WHERE incident.id = chosen.id
       AND incident.opened_in = due.thread
    RETURNING incident.id, due.thread, due.batch, incident.rule_id, incident.rule_name, incident.severity
), batches AS (
    SELECT announced.thread, announced.batch, min(announced.rule_id) AS rule_id, min(announced.rule_name) AS rule_name,
           min(announced.severity) AS severity, count(*) AS incidents
      FROM announced
     GROUP BY announced.thread, announced.batch
), sent AS (
    INSERT INTO scheduler_notification (id, channel_id, rule_id, rule_name, kind, severity, batch, thread, due_at)
    SELECT gen_random_uuid(), heard.channel_id, batches.rule_id, batches.rule_name, 'recovered', batches.severity,
           batches.batch, batches.thread, clock_timestamp()
      FROM batches
     CROSS JOIN LATERAL (SELECT DISTINCT opened.channel_id
                           FROM scheduler_notification AS opened
                          WHERE opened.thread = batches.thread
                            AND opened.kind IN ('opened', 'escalated')
                            AND opened.state IN ('pending', 'sent')) AS heard
)
SELECT batches.thread::text, batches.incidents, batches.batch::text FROM batches
