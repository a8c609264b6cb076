-- Read the seconds until the next job or run is due that this node may take. Of a long line only the head is read.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; tasks text[]; executors text[]; held boolean: whether held runs are looked at; since timestamptz or NULL: no job is due before this;
--          tzdata text, the release of the time zone rules here: a node with newer ones plans what depends on a
--          zone, if it knows the task
-- Rows:    one: seconds until the next due job, the next waiting run, the next held run whose time comes, and the end
--          of the next pause; NULL: none; the paused queues, an object of JSON as text with the seconds until each
--          pause ends
-- Index:   django_apscheduler_djangojob (next_run_time); scheduler_run_waiting; scheduler_run_held;
--          scheduler_job_paused_until

SELECT (SELECT extract(epoch FROM parent.next_run_time - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8
          FROM django_apscheduler_djangojob AS parent
         CROSS JOIN LATERAL (SELECT own.trigger, own.overlap, own.state, own.needs_inspection, own.task
                               FROM scheduler_job AS own
                              WHERE own.djangojob_ptr_id = parent.id
                              LIMIT 1) AS job
         WHERE parent.next_run_time >= coalesce(%(since)s::timestamptz, '-infinity')
           AND job.state = 'active'
           AND job.overlap IN ('skip', 'queue')
           AND NOT job.needs_inspection
           AND job.task = ANY(%(tasks)s::text[])
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
         ORDER BY parent.next_run_time
         LIMIT 1),
       (SELECT extract(epoch FROM min(first.due_at) - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8
          FROM unnest(%(executors)s::text[]) AS executor (name)
         CROSS JOIN LATERAL (SELECT run.due_at
                               FROM scheduler_run AS run
                              WHERE run.executor = executor.name
                                AND run.node IS NULL
                                AND run.finished_at IS NULL
                                AND NOT run.held
                                AND run.task = ANY(%(tasks)s::text[])
                              ORDER BY run.priority DESC, run.due_at, run.id
                              LIMIT 1000) AS first),
       (SELECT extract(epoch FROM min(run.due_at) - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8
          FROM scheduler_run AS run
         WHERE %(held)s
           AND run.held
           AND run.finished_at IS NULL),
       (SELECT extract(epoch FROM job.paused_until - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8
          FROM scheduler_job AS job
         WHERE job.paused_until IS NOT NULL
           AND job.state = 'paused'
         ORDER BY job.paused_until
         LIMIT 1),
       (SELECT jsonb_object_agg(
                   queue.name,
                   extract(epoch FROM queue.paused_until - coalesce(%(now)s::timestamptz, clock_timestamp())))::text
          FROM scheduler_queue AS queue
         WHERE queue.paused_at IS NOT NULL
           AND (queue.paused_until IS NULL
                OR queue.paused_until > coalesce(%(now)s::timestamptz, clock_timestamp())))
