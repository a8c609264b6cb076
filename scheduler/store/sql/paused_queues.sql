-- Name the queues that are paused.
--
-- Locks:   none.
-- Params:  none
-- Rows:    name
-- Index:   none: there are few

SELECT queue.name
  FROM scheduler_queue AS queue
 WHERE queue.paused_at IS NOT NULL
   AND (queue.paused_until IS NULL OR queue.paused_until > clock_timestamp())
