-- Name the oldest due jobs, by values that any program can read.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL; tasks text[]; limit int; since timestamptz or NULL: no job is due before this;
--          recent float8 or NULL: only jobs that became due within so many seconds;
--          passed_by text[]: not these;
--          tzdata text, the release of the time zone rules here: a node with newer ones plans what depends on a
--          zone, if it knows the task
-- Rows:    id; the oldest first
-- Index:   django_apscheduler_djangojob (next_run_time)

SELECT parent.id
  FROM django_apscheduler_djangojob AS parent
  -- One by one: a join may read all active jobs for each that is due, as long as the server has no statistics of them.
 CROSS JOIN LATERAL (SELECT own.trigger, own.overlap, own.state, own.needs_inspection, own.task
                       FROM scheduler_job AS own
                      WHERE own.djangojob_ptr_id = parent.id
                      LIMIT 1) AS job
 WHERE parent.next_run_time <= coalesce(%(now)s::timestamptz, now())
   AND parent.next_run_time >= coalesce(%(since)s::timestamptz, '-infinity')
   AND parent.next_run_time >= coalesce(coalesce(%(now)s::timestamptz, now()) - %(recent)s::float8 * interval '1 second',
                                        '-infinity')
   AND parent.id <> ALL(%(passed_by)s::text[])
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
 LIMIT %(limit)s
