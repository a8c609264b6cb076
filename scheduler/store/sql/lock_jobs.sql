-- Lock jobs, so that nobody else adds, counts or releases runs of theirs.
--
-- Locks:   the parent rows, by id, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  jobs text[]
-- Rows:    id
-- Index:   the primary key

SELECT parent.id
  FROM django_apscheduler_djangojob AS parent
 WHERE parent.id = ANY(%(jobs)s::text[])
 ORDER BY parent.id
   FOR UPDATE SKIP LOCKED
