-- Lock the oldest due jobs that no other node holds and whose task this node knows.
--
-- Locks:   the parent row, until the caller's transaction ends.
-- Params:  now    timestamptz, or NULL for the database's clock
--          tasks  text[], the tasks that this node knows
--          limit  int, the most rows to lock
--          tzdata text, the release of the time zone rules here: a node with newer ones plans what depends on a
--          zone, if it knows the task
--          passed_by  text[]: do not claim these
--          only   text[] or NULL: claim no others
--          since  timestamptz or NULL: no job is due before this; what was is passed over, not read
--          recent float8 or NULL: only jobs that became due within so many seconds
-- Rows:    id, due_at, now, trigger, coalesce, max_instances, misfire_grace_time, executor, priority,
--          overlap, place (of the row in its table, as long as it is locked), seconds until the next job is due,
--          whoever may take it; oldest first. Jobs of one instant have
--          no order: sorting them would read all that are due for every batch, and a midnight can have thousands
-- Index:   django_apscheduler_djangojob (next_run_time)

-- Python has no year before 1: what was written by hand may be older, and one such row must not stop the others.
SELECT parent.id, greatest(parent.next_run_time, '0001-01-01 00:00+00'::timestamptz) AS due_at,
       coalesce(%(now)s::timestamptz, now()) AS now,
       job.trigger::text, job.coalesce, job.max_instances, job.misfire_grace_time,
       CASE job.queue WHEN 'default' THEN job.executor ELSE job.executor || '@' || job.queue END AS executor,
       job.priority, job.overlap, parent.ctid::text AS place,
       (SELECT extract(epoch FROM min(later.next_run_time) - clock_timestamp())::float8
          FROM django_apscheduler_djangojob AS later
         WHERE later.next_run_time > coalesce(%(now)s::timestamptz, now())) AS next_seconds
  FROM django_apscheduler_djangojob AS parent
  -- One by one: a join may read all active jobs for each that is due, as long as the server has no statistics of them.
 CROSS JOIN LATERAL (SELECT own.trigger, own.coalesce, own.max_instances, own.misfire_grace_time, own.queue, own.executor,
                            own.priority, own.overlap, own.state, own.needs_inspection, own.task
                       FROM scheduler_job AS own
                      WHERE own.djangojob_ptr_id = parent.id
                      LIMIT 1) AS job
 WHERE parent.next_run_time <= coalesce(%(now)s::timestamptz, now())
   AND parent.next_run_time >= coalesce(%(since)s::timestamptz, '-infinity')
   AND parent.next_run_time >= coalesce(coalesce(%(now)s::timestamptz, now()) - %(recent)s::float8 * interval '1 second',
                                        '-infinity')
   AND (%(only)s::text[] IS NULL OR parent.id = ANY(%(only)s::text[]))
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
   FOR UPDATE OF parent SKIP LOCKED
