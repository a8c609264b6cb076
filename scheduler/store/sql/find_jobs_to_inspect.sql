-- Find jobs whose definition was written past the services, or that are broken and may have healed.
--
-- Locks:   none.
-- Params:  broken boolean, whether to look at broken jobs too; after text, the id to go on from; limit int
-- Rows:    id; in that order
-- Index:   scheduler_job_inspect; scheduler_job_state

SELECT job.djangojob_ptr_id
  FROM scheduler_job AS job
 WHERE (job.needs_inspection OR (%(broken)s AND job.state = 'broken'))
   AND job.djangojob_ptr_id > %(after)s
 ORDER BY job.djangojob_ptr_id
 LIMIT %(limit)s
