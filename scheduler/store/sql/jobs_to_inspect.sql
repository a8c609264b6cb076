-- Lock jobs that are to be inspected.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  jobs text[]; broken boolean, whether broken jobs are inspected too;
--          tzdata text, the release of the time zone rules here: a node with newer ones plans what depends on a
--          zone, if it knows the task
-- Rows:    id, version, state, task, args, kwargs, trigger, executor, next_run_time (NULL: to be
--          computed anew), interrupted_at, now; by id. States that this release has not heard of are left alone.
-- Index:   the primary keys

SELECT parent.id, job.version, job.state, job.task, job.args::text, job.kwargs::text, job.trigger::text, job.executor,
       CASE WHEN NOT job.needs_rescheduling THEN parent.next_run_time END, job.interrupted_at, now()
  FROM scheduler_job AS job
  JOIN django_apscheduler_djangojob AS parent ON parent.id = job.djangojob_ptr_id
 WHERE parent.id = ANY(%(jobs)s::text[])
   AND (job.needs_inspection OR (%(broken)s AND job.state = 'broken'))
   AND job.state IN ('active', 'paused', 'finished', 'broken')
   AND ((SELECT count(*) = 0
           FROM scheduler_node AS newer
          WHERE newer.state = 'running'
            AND newer.tzdata ~ '^[0-9]{4}[a-z]+$'
            AND newer.tzdata COLLATE "C" > %(tzdata)s)
        OR job.trigger ->> 'type' IN ('interval', 'date')
        OR NOT EXISTS (SELECT 1
                         FROM scheduler_node AS newer
                        WHERE newer.state = 'running'
                          AND newer.tzdata ~ '^[0-9]{4}[a-z]+$'
                          AND newer.tzdata COLLATE "C" > %(tzdata)s
                          AND newer.tasks ? job.task))
 ORDER BY parent.id
   FOR UPDATE SKIP LOCKED
