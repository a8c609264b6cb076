-- Name the oldest due jobs, by values that any program can read.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; tasks text[]; limit int; since timestamptz or NULL: no job is due before this;
--          passed_by text[]: not these
-- Rows:    id; the oldest first
-- Index:   django_apscheduler_djangojob (next_run_time)

SELECT parent.id
  FROM django_apscheduler_djangojob AS parent
  JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
 WHERE parent.next_run_time <= coalesce(%(now)s::timestamptz, now())
   AND parent.next_run_time >= coalesce(%(since)s::timestamptz, '-infinity')
   AND parent.id <> ALL(%(passed_by)s::text[])
   AND job.state = 'active'
   AND NOT job.needs_inspection
   AND job.task = ANY(%(tasks)s::text[])
 ORDER BY parent.next_run_time
 LIMIT %(limit)s
