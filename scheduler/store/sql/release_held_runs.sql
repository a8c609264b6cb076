-- Let held runs wait in line as soon as their job has room for them: by priority, then the oldest.
--
-- Locks:   the rows of the runs, those that somebody else has locked are passed by; the caller holds the rows of their
--          jobs, so that the count below holds.
-- Params:  jobs text[]; limit int, the most runs of one job; now timestamptz or NULL
-- Rows:    id
-- Index:   scheduler_run_active_of_job; scheduler_run_held_of_job, from its beginning: no more is read than is released

UPDATE scheduler_run AS run
   SET held = false
 WHERE run.id = ANY(ARRAY(
       SELECT following.id
         FROM unnest(%(jobs)s::text[]) AS wanted (id)
         JOIN scheduler_job AS job ON job.djangojob_ptr_id = wanted.id
        CROSS JOIN LATERAL (SELECT count(*) AS runs
                              FROM scheduler_run AS run
                             WHERE run.job_id = wanted.id
                               AND NOT run.held
                               AND run.finished_at IS NULL) AS active
        CROSS JOIN LATERAL (SELECT candidate.id
                              FROM scheduler_run AS candidate
                             WHERE candidate.job_id = wanted.id
                               AND candidate.held
                               AND candidate.finished_at IS NULL
                               AND candidate.due_at <= coalesce(%(now)s::timestamptz, now())
                             ORDER BY candidate.priority DESC, candidate.due_at, candidate.id
                             LIMIT least(greatest(job.max_instances - active.runs, 0), %(limit)s)
                               FOR UPDATE SKIP LOCKED) AS following))
RETURNING run.id
