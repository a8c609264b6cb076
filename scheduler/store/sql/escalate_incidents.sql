-- Put messages about incidents that nobody acknowledged in time into the outbox, to the channels that their rule
-- escalates to.
--
-- Locks:   the incidents, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  none
-- Rows:    thread, incidents
-- Index:   scheduler_incident_remind: it holds what is open

WITH chosen AS MATERIALIZED (
    SELECT incident.id
      FROM scheduler_rule AS rule
      JOIN scheduler_incident AS incident ON incident.rule_id = rule.id
     WHERE rule.escalate_after IS NOT NULL
       AND incident.closed_at IS NULL
       AND incident.remind_at IS NOT NULL
       AND incident.opened_in IS NOT NULL
       AND incident.acknowledged_at IS NULL
       AND incident.escalated_at IS NULL
       AND coalesce(incident.snoozed_until, '-infinity') < now()
       AND incident.opened_at <= now() - greatest(0, least(rule.escalate_after, 1e9)) * interval '1 second'
       AND NOT EXISTS (SELECT 1
                         FROM scheduler_mute AS mute
                        WHERE mute.job_key = incident.job_key
                          AND mute.until > now())
     ORDER BY incident.id
     LIMIT 5000
       FOR UPDATE OF incident SKIP LOCKED
), announced AS (
    UPDATE scheduler_incident AS incident
       SET escalated_at = now()
      FROM chosen
     WHERE incident.id = chosen.id
    RETURNING incident.id, incident.opened_in AS thread, incident.rule_id
), batches AS (
    SELECT announced.thread, announced.rule_id, count(*) AS incidents FROM announced GROUP BY announced.thread, announced.rule_id
), sent AS (
    INSERT INTO scheduler_notification (id, channel_id, rule_id, rule_name, kind, severity, batch, thread, due_at)
    SELECT gen_random_uuid(), channel.id, rule.id, rule.name, 'escalated', rule.severity, batches.thread,
           batches.thread, clock_timestamp()
      FROM batches
      JOIN scheduler_rule AS rule ON rule.id = batches.rule_id
      JOIN scheduler_rule_escalation_channels AS listed ON listed.rule_id = rule.id
      JOIN scheduler_channel AS channel ON channel.id = listed.channel_id AND channel.enabled
        ON CONFLICT DO NOTHING
)
SELECT batches.thread::text, batches.incidents FROM batches
