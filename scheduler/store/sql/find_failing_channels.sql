-- Whether messages leave: channels that fail, and the message that is due for longest.
--
-- Locks:   none.
-- Params:  failing float8, seconds after which a channel that fails counts
-- Rows:    what: channel and its id, or “sender”; since when it holds, in seconds
-- Index:   scheduler_notification_due

SELECT 'channel:' || channel.id, date_part('epoch', clock_timestamp() - channel.failing_since)
  FROM scheduler_channel AS channel
 WHERE channel.enabled
   AND channel.failing_since < clock_timestamp() - %(failing)s * interval '1 second'
 UNION ALL
SELECT 'sender', date_part('epoch', clock_timestamp() - min(notification.due_at))
  FROM scheduler_notification AS notification
  JOIN scheduler_channel AS channel ON channel.id = notification.channel_id
 WHERE notification.state = 'pending'
   AND notification.attempts = 0
   AND channel.enabled
   AND channel.quiet_from IS NULL
   AND channel.failing_since IS NULL
   AND notification.due_at < clock_timestamp() - %(failing)s * interval '1 second'
HAVING count(*) > 0
