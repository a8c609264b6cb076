-- Which queues are paused, and until when.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL
-- Rows:    name, seconds until the pause ends (NULL: until somebody resumes it)
-- Index:   none: the table has a row for each queue that was ever paused

SELECT queue.name,
       extract(epoch FROM queue.paused_until - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8
  FROM scheduler_queue AS queue
 WHERE queue.paused_at IS NOT NULL
   AND (queue.paused_until IS NULL OR queue.paused_until > coalesce(%(now)s::timestamptz, clock_timestamp()))
