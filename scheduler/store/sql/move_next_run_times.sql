-- Say when claimed jobs are due again. “said” lets the database know that the rows for what they move past are written.
--
-- Locks:   none that the caller does not hold already.
-- Params:  arrays of one length: jobs text[]; places tid[], of their rows, as claim_due_jobs found and locked them;
--          next_run_times timestamptz[], NULL: the job has ended
-- Rows:    id
-- Index:   none: by their places. The primary key has an entry for each earlier version that a transaction elsewhere
--          can still see

WITH said AS MATERIALIZED (
    SELECT set_config('scheduler.accounts', 'claim', true) AS by
)
UPDATE django_apscheduler_djangojob AS parent
   SET next_run_time = plan.next_run_time
  FROM said, unnest(%(jobs)s::text[], %(places)s::tid[], %(next_run_times)s::timestamptz[]) AS plan (id, place, next_run_time)
 WHERE parent.ctid = plan.place
   AND parent.id = plan.id
RETURNING parent.id
