-- Measure the scheduling: overdue and failing jobs, nodes that are alive, and whether they keep up.
--
-- Locks:   none.
-- Params:  fresh float8, seconds after which a heartbeat is old; late float8, seconds after which a job is overdue
-- Rows:    one, see store/measuring/measures.py; ages in seconds on the database's clock
-- Index:   django_apscheduler_djangojob (next_run_time); scheduler_node_state_beat; scheduler_job_failing

WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), due AS MATERIALIZED (
    SELECT parent.next_run_time
      FROM django_apscheduler_djangojob AS parent
      JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
     WHERE parent.next_run_time <= (SELECT clock.now FROM clock)
       AND job.state = 'active'
), living AS MATERIALIZED (
    SELECT node.kind, node.started_at, node.heartbeat_at, measure.backlog, measure.backlog_seconds,
           measure.reported_at,
           extract(epoch FROM measure.clock_at - measure.reported_at)::float8 AS skew
      FROM scheduler_node AS node
      LEFT JOIN scheduler_nodemeasure AS measure ON measure.node_id = node.id
     WHERE node.state = 'running'
), failures AS (
    SELECT count(*) FILTER (WHERE job.state = 'active') AS failing,
           count(*) FILTER (WHERE job.state = 'paused'
                              AND job.consecutive_failures >= job.pause_after_failures) AS stopped
      FROM scheduler_job AS job
     WHERE job.consecutive_failures > 0
)
SELECT clock.now,
       (SELECT count(*) FROM due),
       (SELECT count(*) FROM due WHERE due.next_run_time < clock.now - %(late)s * interval '1 second'),
       (SELECT extract(epoch FROM clock.now - min(due.next_run_time))::float8 FROM due),
       (SELECT parent.next_run_time
          FROM django_apscheduler_djangojob AS parent
          JOIN scheduler_job AS job ON job.djangojob_ptr_id = parent.id
         WHERE parent.next_run_time IS NOT NULL AND job.state = 'active'
         ORDER BY parent.next_run_time
         LIMIT 1),
       -- Workers of remote executors plan nothing.
       (SELECT count(*) FROM living WHERE living.kind = 'node'),
       (SELECT count(*)
          FROM living
         WHERE living.kind = 'node' AND living.heartbeat_at > clock.now - %(fresh)s * interval '1 second'),
       (SELECT extract(epoch FROM clock.now - max(living.heartbeat_at))::float8 FROM living WHERE living.kind = 'node'),
       (SELECT extract(epoch FROM clock.now - min(living.started_at))::float8
          FROM living
         WHERE living.kind = 'node' AND living.heartbeat_at > clock.now - %(fresh)s * interval '1 second'),
       (SELECT max(living.backlog)
          FROM living WHERE living.reported_at > clock.now - %(fresh)s * interval '1 second'),
       (SELECT max(living.backlog_seconds)
          FROM living WHERE living.reported_at > clock.now - %(fresh)s * interval '1 second'),
       (SELECT max(abs(living.skew))
          FROM living WHERE living.reported_at > clock.now - %(fresh)s * interval '1 second'),
       failures.failing, failures.stopped
  FROM clock
 CROSS JOIN failures
