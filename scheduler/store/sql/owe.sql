-- Note ranges of fire times of which a part has a row already, so that the rest of them gets one.
--
-- Locks:   the rows that it inserts; the caller holds the rows of the jobs.
-- Params:  arrays of one length: jobs text[]; firsts, untils timestamptz[]
-- Rows:    none
-- Index:   the primary key

INSERT INTO scheduler_owed (job_key, job_name, task, executor, priority, trigger, first, until)
SELECT job.djangojob_ptr_id, job.name, job.task, job.executor, job.priority, job.trigger, missing.first, missing.until
  FROM unnest(%(jobs)s::text[], %(firsts)s::timestamptz[], %(untils)s::timestamptz[]) AS missing (id, first, until)
  JOIN scheduler_job AS job ON job.djangojob_ptr_id = missing.id
