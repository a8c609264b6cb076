-- Whether anything may follow from outcomes that were recorded. Mostly nothing does, and two statements are saved.
--
-- Locks:   none.
-- Params:  held boolean: whether held runs are looked at
-- Rows:    one: whether any job counts failures in a row, whether any run is held, whether any enqueued task fails
-- Index:   scheduler_job_failing, scheduler_run_held

SELECT EXISTS (SELECT 1 FROM scheduler_job AS job WHERE job.consecutive_failures > 0),
       %(held)s AND EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.held AND run.finished_at IS NULL),
       EXISTS (SELECT 1 FROM scheduler_taskstreak)
