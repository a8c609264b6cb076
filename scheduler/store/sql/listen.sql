-- Listen on every channel of ``notifications.Channel``.
--
-- Locks:   none.
-- Params:  none
-- Rows:    none
-- Index:   none

LISTEN scheduler_jobs; LISTEN scheduler_cancel; LISTEN scheduler_runs
