-- Lock jobs whose pause is over and that no other node is resuming.
--
-- Locks:   the rows of the jobs, until the caller's transaction ends; what somebody else has locked is passed by.
-- Params:  jobs text[]; now timestamptz or NULL;
--          tzdata text, the release of the time zone rules here: a node with newer ones plans what depends on a
--          zone, if it knows the task
-- Rows:    id, version, task, args, kwargs, trigger, now; by id
-- Index:   the primary keys

SELECT parent.id, job.version, job.task, job.args::text, job.kwargs::text, job.trigger::text,
       coalesce(%(now)s::timestamptz, now())
  FROM scheduler_job AS job
  JOIN django_apscheduler_djangojob AS parent ON parent.id = job.djangojob_ptr_id
 WHERE parent.id = ANY(%(jobs)s::text[])
   AND job.paused_until <= coalesce(%(now)s::timestamptz, now())
   AND job.state = 'paused'
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
