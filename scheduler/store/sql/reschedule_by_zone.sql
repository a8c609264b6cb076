-- Have next fire times computed anew that depend on a time zone and have not come yet, some at a time.
--
-- Locks:   the rows of the jobs, for the length of the statement: the parents first, as claims do. What somebody else has
--          locked is waited for a moment: no job may be left out.
-- Params:  after text, the id to go on from; limit int, the most jobs to look at
-- Rows:    id of the last job that was looked at (NULL: there was none left), how many are computed anew
-- Index:   the primary keys

WITH page AS MATERIALIZED (
    SELECT job.djangojob_ptr_id AS id
      FROM scheduler_job AS job
     WHERE job.djangojob_ptr_id > %(after)s
     ORDER BY job.djangojob_ptr_id
     LIMIT %(limit)s
), waiting AS MATERIALIZED (
    SELECT parent.id
      FROM django_apscheduler_djangojob AS parent
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE parent.id = ANY(ARRAY(SELECT page.id FROM page))
       AND parent.next_run_time > now()
       AND job.state = 'active'
       AND job.trigger ->> 'type' NOT IN ('interval', 'date')
     ORDER BY parent.id
       FOR UPDATE OF parent
), flagged AS (
    UPDATE scheduler_job AS job
       SET needs_inspection = true, needs_rescheduling = true
      FROM waiting
     WHERE job.djangojob_ptr_id = waiting.id
    RETURNING job.djangojob_ptr_id
)
SELECT (SELECT max(page.id) FROM page), (SELECT count(*) FROM flagged)
