-- Record that a channel did not accept a message: it is tried again after a delay, or given up, with what waited for it.
--
-- Locks:   the rows, until the caller's transaction ends.
-- Params:  id uuid; channel bigint; answer text; answer_message jsonb or NULL; subject text; delay float8, seconds, or NULL: given
--          up; off boolean, whether the channel is switched off: it said that it is gone; unsure boolean, whether it may
--          have arrived
-- Rows:    none
-- Index:   the primary keys; scheduler_notification_thread

WITH unsent AS (
    UPDATE scheduler_notification AS notification
       SET state = CASE WHEN %(delay)s::float8 IS NULL THEN 'failed' ELSE 'pending' END,
           due_at = CASE WHEN %(delay)s::float8 IS NULL THEN notification.due_at
                         ELSE clock_timestamp() + %(delay)s::float8 * interval '1 second' END,
           leased_until = NULL, may_have_arrived = notification.may_have_arrived OR %(unsure)s::boolean,
           answer = %(answer)s, answer_message = %(answer_message)s::jsonb, subject = %(subject)s
     WHERE notification.id = %(id)s::uuid
    RETURNING notification.state, notification.kind, notification.thread, notification.channel_id
), fails AS (
    UPDATE scheduler_channel AS channel
       SET failing_since = coalesce(channel.failing_since, clock_timestamp()), last_error = %(answer)s,
           last_error_message = %(answer_message)s::jsonb,
           failed = least(channel.failed, 9223372036854775806) + 1, enabled = channel.enabled AND NOT %(off)s::boolean
     WHERE channel.id = %(channel)s::bigint
)
UPDATE scheduler_notification AS notification
   SET state = 'superseded'
  FROM unsent
 WHERE unsent.state = 'failed'
   AND unsent.kind IN ('opened', 'escalated')
   AND notification.thread = unsent.thread
   AND notification.channel_id = unsent.channel_id
   AND notification.kind IN ('recovered', 'reminder', 'changed')
   AND notification.state = 'pending'
