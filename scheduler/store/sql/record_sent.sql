-- Record that a channel accepted a message, and let what waits for the channel go at once.
--
-- Locks:   the rows, until the caller's transaction ends.
-- Params:  id uuid; channel bigint; answer text; answer_message jsonb or NULL; subject text
-- Rows:    none
-- Index:   the primary keys; scheduler_notification_due

WITH sent AS (
    UPDATE scheduler_notification AS notification
       SET state = 'sent', sent_at = clock_timestamp(), leased_until = NULL, answer = %(answer)s,
           answer_message = %(answer_message)s::jsonb, subject = %(subject)s
     WHERE notification.id = %(id)s::uuid
), works AS (
    UPDATE scheduler_channel AS channel
       SET failing_since = NULL, last_error = '', last_error_message = NULL, last_sent_at = clock_timestamp(),
           sent = least(channel.sent, 9223372036854775806) + 1
     WHERE channel.id = %(channel)s::bigint
)
UPDATE scheduler_notification AS notification
   SET due_at = clock_timestamp()
 WHERE notification.channel_id = %(channel)s::bigint
   AND notification.state = 'pending'
   AND notification.due_at > clock_timestamp()
   AND notification.id <> %(id)s::uuid
