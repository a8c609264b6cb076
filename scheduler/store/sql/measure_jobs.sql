-- Count the jobs by state, and the rows that stock django-apscheduler wrote and nobody has adopted.
--
-- Locks:   none.
-- Params:  none
-- Rows:    state, jobs; and one whose state is NULL for the rows that are not adopted
-- Index:   scheduler_job_state; the primary keys

SELECT job.state, count(*)
  FROM scheduler_job AS job
 GROUP BY job.state
 UNION ALL
SELECT NULL, count(*)
  FROM django_apscheduler_djangojob AS parent
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_job AS job WHERE job.djangojob_ptr_id = parent.id)
