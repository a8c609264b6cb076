-- Stamp the runs of a broker that are to be rung now: those that never were, highest priority first, then the oldest, and
-- those that were, some time ago, and still wait (rung_runs). What waits in a paused queue is left alone.
--
-- Locks:   the rows that it stamps, until the caller's transaction ends; those that somebody else has locked are passed
--          by. The caller holds the lock of this broker, so that no other node counts what is rung meanwhile.
-- Params:  broker text, the kind of a remote executor, or one remote executor; limit int, the most runs; most_inflight
--          int, the most runs of one remote executor that are rung and have not begun; again_seconds, longest_seconds
--          float8, the first and the longest time after which a run is rung again; now timestamptz or NULL
-- Rows:    id, attempt, ring, executor (without the queue), rung_at
-- Index:   scheduler_run_to_ring, from one track and priority to the next; scheduler_run_rung, which has no more rows of
--          an executor than most_inflight

WITH RECURSIVE clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), level (track, priority) AS (
    {levels_to_ring}
), rung AS MATERIALIZED (
    {rung_runs}
), paused AS MATERIALIZED (
    SELECT queue.name
      FROM scheduler_queue AS queue
     CROSS JOIN clock
     WHERE queue.paused_at IS NOT NULL AND (queue.paused_until IS NULL OR queue.paused_until > clock.now)
), waiting AS MATERIALIZED (
    SELECT level.track, level.priority, split_part(level.track, '@', 1) AS executor,
           %(most_inflight)s - coalesce(inflight.runs, 0) AS room
      FROM level
      LEFT JOIN (SELECT rung.executor, count(*) AS runs FROM rung GROUP BY rung.executor) AS inflight
             ON inflight.executor = split_part(level.track, '@', 1)
     WHERE %(broker)s IN (split_part(level.track, ':', 1), split_part(level.track, '@', 1))
       AND coalesce(nullif(split_part(level.track, '@', 2), ''), 'default') NOT IN (SELECT paused.name FROM paused)
), unrung AS (
    SELECT head.id, head.priority, head.due_at, waiting.room,
           row_number() OVER (PARTITION BY waiting.executor ORDER BY head.priority DESC, head.due_at, head.id) AS place
      FROM waiting
     CROSS JOIN clock
     CROSS JOIN LATERAL (
           SELECT run.id, run.priority, run.due_at
             FROM scheduler_run AS run
            WHERE strpos(run.executor, ':') > 0
              AND run.node IS NULL AND run.finished_at IS NULL AND NOT run.held AND run.rung_at IS NULL
              AND run.executor = waiting.track AND run.priority = waiting.priority
              AND run.due_at <= clock.now
              AND (run.expires_at IS NULL OR run.expires_at > clock.now)
            ORDER BY run.due_at, run.id
            LIMIT greatest(least(%(limit)s, waiting.room), 0)) AS head
     WHERE waiting.room > 0
), chosen AS (
    (SELECT rung.id
       FROM rung
      CROSS JOIN clock
      WHERE rung.again_at <= clock.now AND NOT rung.is_paused
      ORDER BY rung.rung_at
      LIMIT %(limit)s)
    UNION ALL
    (SELECT unrung.id
       FROM unrung
      WHERE unrung.place <= unrung.room
      ORDER BY unrung.priority DESC, unrung.due_at, unrung.id
      LIMIT %(limit)s)
), stamped AS (
    UPDATE scheduler_run AS run
       SET rings = least(run.rings, 32766) + 1, rung_at = clock.now
      FROM clock
     WHERE run.id = ANY(ARRAY(SELECT free.id
                                FROM scheduler_run AS free
                               WHERE free.id = ANY(ARRAY(SELECT chosen.id FROM chosen LIMIT %(limit)s))
                                 AND free.state = 'queued'
                                 AND num_nulls(free.node, free.finished_at) = 2
                               ORDER BY free.id
                                 FOR UPDATE SKIP LOCKED))
    RETURNING run.id, run.attempt, run.rings, run.executor, run.rung_at, run.priority, run.due_at
)
SELECT stamped.id, stamped.attempt, stamped.rings, split_part(stamped.executor, '@', 1) AS executor, stamped.rung_at
  FROM stamped
 ORDER BY stamped.priority DESC, stamped.due_at, stamped.id
