-- Lease the oldest due message of each channel that this sender is not busy with.
--
-- A message that opens makes superfluous what waits behind it for the same channel: it says how things are when it is
-- sent. The others wait until it was sent.
--
-- Locks:   the rows, until the caller's transaction ends; the lease outlasts it.
-- Params:  busy bigint[], channels to leave alone; quiet bigint[], channels that get only critical messages;
--          lease float8, seconds; limit int
-- Rows:    id, channel id, kind, batch, thread, attempts (this one included), created_at
-- Index:   scheduler_notification_due; scheduler_notification_thread; scheduler_notification_sent

WITH claimed AS MATERIALIZED (
    SELECT due.id
      FROM scheduler_channel AS channel
     CROSS JOIN LATERAL (
           SELECT notification.id
             FROM scheduler_notification AS notification
            WHERE notification.channel_id = channel.id
              AND notification.state = 'pending'
              AND (notification.due_at <= clock_timestamp()
                   -- The clock was set back since it was written, and since it was tried.
                   OR notification.created_at > clock_timestamp()
                      AND coalesce(notification.tried_at, 'infinity') > clock_timestamp())
              AND (coalesce(notification.leased_until, '-infinity') < clock_timestamp()
                   OR notification.leased_until > clock_timestamp() + %(lease)s * interval '1 second')
              AND (channel.id <> ALL(%(quiet)s::bigint[]) OR notification.severity = 'critical'
                   OR notification.kind = 'test')
              AND (notification.kind IN ('opened', 'escalated', 'digest', 'test')
                   OR NOT EXISTS (SELECT 1
                                    FROM scheduler_notification AS first
                                   WHERE first.thread = notification.thread
                                     AND first.channel_id = notification.channel_id
                                     AND first.kind IN ('opened', 'escalated')
                                     AND first.state = 'pending'))
            ORDER BY notification.due_at, notification.id
            LIMIT 1
              FOR UPDATE SKIP LOCKED) AS due
     WHERE channel.enabled
       AND channel.id <> ALL(%(busy)s::bigint[])
       AND (SELECT count(*)
              FROM scheduler_notification AS recent
             WHERE recent.channel_id = channel.id
               AND recent.sent_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp())
           < channel.per_minute
     LIMIT %(limit)s::int
), leased AS (
    UPDATE scheduler_notification AS notification
       SET leased_until = clock_timestamp() + %(lease)s * interval '1 second',
           attempts = least(notification.attempts, 32766) + 1, tried_at = clock_timestamp(),
           -- The sender before died with it.
           may_have_arrived = notification.may_have_arrived OR notification.leased_until IS NOT NULL
      FROM claimed
     WHERE notification.id = claimed.id
    RETURNING notification.id, notification.channel_id, notification.kind, notification.batch, notification.thread,
              notification.attempts, notification.created_at, notification.may_have_arrived
), superseded AS (
    UPDATE scheduler_notification AS notification
       SET state = 'superseded'
      FROM leased
     WHERE leased.kind IN ('opened', 'escalated')
       AND notification.thread = leased.thread
       AND notification.channel_id = leased.channel_id
       AND (notification.kind IN ('reminder', 'changed')
            -- Whoever drops repetitions would not hear of the end.
            OR notification.kind = 'recovered' AND NOT leased.may_have_arrived)
       AND notification.state = 'pending'
)
SELECT leased.id::text, leased.channel_id, leased.kind, leased.batch::text, leased.thread::text, leased.attempts,
       leased.created_at
  FROM leased
