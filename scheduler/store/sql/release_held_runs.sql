-- Let held runs wait in line as soon as their job has room for them: by priority, then the oldest.
--
-- Locks:   the rows of the runs; the caller holds the rows of their jobs, so that the count below holds.
-- Params:  jobs text[]; now timestamptz or NULL
-- Rows:    id
-- Index:   scheduler_run_active_job

UPDATE scheduler_run AS run
   SET held = false
  FROM (SELECT candidate.id,
               row_number() OVER (PARTITION BY candidate.job_id ORDER BY candidate.priority DESC, candidate.due_at,
                                  candidate.id) AS place,
               job.max_instances - (SELECT count(*)
                                      FROM scheduler_run AS active
                                     WHERE active.job_id = candidate.job_id
                                       AND active.finished_at IS NULL
                                       AND NOT active.held) AS room
          FROM scheduler_run AS candidate
          JOIN scheduler_job AS job ON job.djangojob_ptr_id = candidate.job_id
         WHERE candidate.job_id = ANY(%(jobs)s::text[])
           AND candidate.held
           AND candidate.finished_at IS NULL
           AND candidate.due_at <= coalesce(%(now)s::timestamptz, now())) AS waiting
 WHERE run.id = waiting.id
   AND waiting.place <= waiting.room
RETURNING run.id
