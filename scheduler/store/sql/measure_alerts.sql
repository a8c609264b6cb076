-- Open incidents by kind and severity, and what became of messages, by channel.
--
-- Locks:   none.
-- Params:  none
-- Rows:    what, name, word, number; see store/alerts.py
-- Index:   scheduler_incident_open_job; scheduler_notification_due

SELECT 'open', incident.kind, incident.severity, count(*)::float8
  FROM scheduler_incident AS incident
 WHERE incident.closed_at IS NULL
 GROUP BY incident.kind, incident.severity
 UNION ALL
SELECT 'sent', channel.name, counter.state, counter.number::float8
  FROM scheduler_channel AS channel
 CROSS JOIN LATERAL (VALUES ('sent', channel.sent), ('failed', channel.failed)) AS counter (state, number)
 UNION ALL
SELECT 'oldest', channel.name, '', greatest(0, date_part('epoch', clock_timestamp() - min(notification.created_at)))
  FROM scheduler_notification AS notification
  JOIN scheduler_channel AS channel ON channel.id = notification.channel_id
 WHERE notification.state = 'pending'
 GROUP BY channel.name
