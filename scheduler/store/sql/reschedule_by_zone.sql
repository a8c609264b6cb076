-- Have the next fire times computed anew that depend on a time zone and have not come yet.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends: the parents first, as claims do.
-- Params:  none
-- Rows:    id
-- Index:   django_apscheduler_djangojob (next_run_time)

WITH waiting AS (
    SELECT parent.id
      FROM django_apscheduler_djangojob AS parent
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE parent.next_run_time > now()
       AND job.state = 'active'
       AND job.trigger ->> 'type' NOT IN ('interval', 'date')
     ORDER BY parent.id
       FOR UPDATE OF parent
)
UPDATE scheduler_job AS job
   SET needs_inspection = true, needs_rescheduling = true
  FROM waiting
 WHERE job.djangojob_ptr_id = waiting.id
RETURNING job.djangojob_ptr_id
