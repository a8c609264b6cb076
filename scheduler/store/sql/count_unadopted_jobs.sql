-- Rows that stock django-apscheduler wrote and nobody has adopted.
--
-- Locks:   none.
-- Params:  none
-- Rows:    one: the count
-- Index:   the primary keys

SELECT count(*)
  FROM django_apscheduler_djangojob AS parent
 WHERE NOT EXISTS (SELECT 1 FROM scheduler_job AS job WHERE job.djangojob_ptr_id = parent.id)
