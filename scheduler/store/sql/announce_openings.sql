-- Put messages about incidents that opened into the outbox: for each rule one batch, for each of its channels one
-- notification. A rule is announced when a moment has passed without a further incident of it, a longer one if there are
-- several, and a minute after its last message: what opens meanwhile goes together.
--
-- Locks:   the incidents and their rules, until the caller's transaction ends; what somebody else has locked is passed
--          by, with its rule.
-- Params:  quiet, burst, most and pace float8, in seconds; limit int, the most incidents; delays float8[], of reminders
-- Rows:    rule id, batch, incidents in it, channels
-- Index:   scheduler_incident_untold

WITH muted AS MATERIALIZED (
    SELECT mute.job_key FROM scheduler_mute AS mute WHERE mute.until > now()
), waiting AS MATERIALIZED (
    SELECT incident.rule_id
      FROM scheduler_incident AS incident
     WHERE incident.opened_in IS NULL
       AND incident.job_key NOT IN (SELECT muted.job_key FROM muted)
     GROUP BY incident.rule_id
    HAVING max(incident.opened_at) <= clock_timestamp() - CASE count(*) WHEN 1 THEN %(quiet)s ELSE %(burst)s END
                                                      * interval '1 second'
        OR min(incident.opened_at) <= clock_timestamp() - %(most)s * interval '1 second'
        OR max(incident.opened_at) > clock_timestamp()  -- it was set back
), due AS MATERIALIZED (
    SELECT rule.id, rule.name, rule.severity, gen_random_uuid() AS batch
      FROM scheduler_rule AS rule
     WHERE rule.id IN (SELECT waiting.rule_id FROM waiting)
       AND coalesce(rule.told_at, '-infinity')
           NOT BETWEEN clock_timestamp() - %(pace)s * interval '1 second' AND clock_timestamp()
     ORDER BY rule.id
       FOR NO KEY UPDATE SKIP LOCKED
), chosen AS MATERIALIZED (
    SELECT incident.id, incident.rule_id
      FROM scheduler_incident AS incident
     WHERE incident.opened_in IS NULL
       AND incident.rule_id IN (SELECT due.id FROM due)
       AND incident.job_key NOT IN (SELECT muted.job_key FROM muted)
     ORDER BY incident.id
     LIMIT %(limit)s::int
       FOR UPDATE SKIP LOCKED
), announced AS (
    UPDATE scheduler_incident AS incident
       SET opened_in = due.batch, changed_at = NULL,
           remind_at = now() + (%(delays)s::float8[])[1] * interval '1 second'
      FROM chosen
      JOIN due ON due.id = chosen.rule_id
     WHERE incident.id = chosen.id
    RETURNING incident.id, due.id AS rule_id, due.batch
), batches AS (
    SELECT announced.rule_id, announced.batch, count(*) AS incidents FROM announced GROUP BY announced.rule_id, announced.batch
), noted AS (
    UPDATE scheduler_rule AS rule
       SET told_at = clock_timestamp()
      FROM batches
     WHERE rule.id = batches.rule_id
       AND EXISTS (SELECT FROM scheduler_rule_channels AS listed WHERE listed.rule_id = rule.id)
), sent AS (
    INSERT INTO scheduler_notification (id, channel_id, rule_id, rule_name, kind, severity, batch, thread, due_at)
    SELECT gen_random_uuid(), channel.id, due.id, due.name, 'opened', due.severity, batches.batch, batches.batch,
           clock_timestamp()
      FROM batches
      JOIN due ON due.id = batches.rule_id
      JOIN scheduler_rule_channels AS listed ON listed.rule_id = due.id
      JOIN scheduler_channel AS channel ON channel.id = listed.channel_id AND channel.enabled
    RETURNING rule_id
)
SELECT batches.rule_id, batches.batch::text, batches.incidents,
       (SELECT count(*) FROM sent WHERE sent.rule_id = batches.rule_id)
  FROM batches
