-- Find the runs that wait at the heads of lanes whose limits have room: no more of a lane than may go on.
--
-- Locks:   none; the caller is the one node that decides.
-- Params:  lanes text[] or NULL: of these, otherwise of all that follow; after text; most_lanes int, most int: runs of a
--          lane; horizon float8, seconds for which starts of a rate are handed out ahead; now timestamptz or NULL
-- Rows:    lane, run, priority, rate_key, rate_seconds, concurrency_key, concurrency_most, seconds until the rate allows
--          the next start, how many runs hold a place; NULL instead of the run and what follows: the lane has no room
-- Index:   scheduler_limited_waiting, from one lane to the next; scheduler_limited_granted

WITH RECURSIVE clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, now()) AS now
), lane (name) AS (
    (SELECT first.lane
       FROM scheduler_limited_run AS first
      WHERE first.granted_at IS NULL AND first.lane > %(after)s AND %(lanes)s::text[] IS NULL
      ORDER BY first.lane
      LIMIT 1)
    UNION ALL
    SELECT following.lane
      FROM lane
     CROSS JOIN LATERAL (
           SELECT other.lane
             FROM scheduler_limited_run AS other
            WHERE other.granted_at IS NULL AND other.lane > lane.name
            ORDER BY other.lane
            LIMIT 1) AS following
), chosen AS MATERIALIZED (
    (SELECT lane.name FROM lane LIMIT %(most_lanes)s)
    UNION ALL
    SELECT DISTINCT wanted.name FROM unnest(%(lanes)s::text[]) AS wanted (name)
)
SELECT chosen.name, head.run, head.priority, head.rate_key, head.rate_seconds, head.concurrency_key,
       head.concurrency_most, head.wait_seconds, head.active
  FROM chosen
 CROSS JOIN clock
  LEFT JOIN LATERAL (
       SELECT waiting.run, waiting.priority, share.rate_key, share.rate_seconds, share.concurrency_key,
              share.concurrency_most, room.wait_seconds, room.active
         FROM (SELECT any_one.rate_key, any_one.rate_seconds, any_one.concurrency_key, any_one.concurrency_most
                 FROM scheduler_limited_run AS any_one
                WHERE any_one.lane = chosen.name AND any_one.granted_at IS NULL
                LIMIT 1) AS share
        CROSS JOIN LATERAL (
              SELECT (SELECT extract(epoch FROM least(greatest(pace.next_at, clock.now), clock.now + interval '10 years')
                                                - clock.now)::float8
                        FROM scheduler_rate_limit AS pace
                       WHERE pace.key = share.rate_key) AS wait_seconds,
                     (SELECT count(*)
                        FROM scheduler_limited_run AS holder
                       WHERE holder.concurrency_key = share.concurrency_key
                         AND holder.granted_at IS NOT NULL
                         AND share.concurrency_key <> '') AS active) AS room
        CROSS JOIN LATERAL (
              SELECT limited.run, limited.priority
                FROM scheduler_limited_run AS limited
                JOIN scheduler_run AS run ON run.id = limited.run AND run.finished_at IS NULL
               WHERE limited.lane = chosen.name
                 AND limited.granted_at IS NULL
                 AND coalesce(room.wait_seconds, 0) <= %(horizon)s
                 AND (share.concurrency_key = '' OR room.active < share.concurrency_most)
               ORDER BY limited.priority DESC, limited.run
               -- More may be active than a limit allows that was lowered, and any number may stand in a row.
               LIMIT greatest(0, least(%(most)s,
                           CASE WHEN share.concurrency_key <> '' THEN share.concurrency_most - room.active END,
                           CASE WHEN share.rate_key <> ''
                                THEN least(ceil(%(horizon)s / greatest(share.rate_seconds, 1e-6)), 1e9)::bigint + 1 END))
              ) AS waiting) AS head ON true
