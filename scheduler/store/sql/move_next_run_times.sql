-- Say when claimed jobs are due again.
--
-- Locks:   none that the caller does not hold already.
-- Params:  jobs text[], next_run_times timestamptz[] of one length; NULL: the job has ended
-- Rows:    none
-- Index:   the primary key

UPDATE django_apscheduler_djangojob AS parent
   SET next_run_time = plan.next_run_time
  FROM unnest(%(jobs)s::text[], %(next_run_times)s::timestamptz[]) AS plan (id, next_run_time)
 WHERE parent.id = plan.id
