-- Make waiting runs of a track this node's own: highest priority first, then the oldest. Of each priority only those
-- that are due are read, however many wait for a later time. With a place in each priority, only what follows is read.
--
-- Locks:   the rows that it takes; those that another node is taking are skipped.
-- Params:  only bigint[] or NULL: take no others; node uuid, executor (the track) text, tasks text[], limit int,
--          now timestamptz or NULL; arrays of one length, or NULL: read the line from its first entry: priorities int[],
--          since timestamptz[], after bigint[]
-- Rows:    id, job_id, job_name, task, args, kwargs, scheduled_at, attempt, executor (without the queue), timeout,
--          job_key, public_id, policies, priority, due_at; in the order of the line
-- Index:   scheduler_run_waiting, from one priority to the next

WITH RECURSIVE clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, now()) AS now
), level (priority) AS (
    (SELECT run.priority
       FROM scheduler_run AS run
      WHERE %(priorities)s::int[] IS NULL
        AND run.executor = %(executor)s AND run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
      ORDER BY run.priority DESC
      LIMIT 1)
    UNION ALL
    SELECT following.priority
      FROM level
     CROSS JOIN LATERAL (
           SELECT run.priority
             FROM scheduler_run AS run
            WHERE run.executor = %(executor)s AND run.node IS NULL AND run.finished_at IS NULL AND NOT run.held
              AND run.priority < level.priority
            ORDER BY run.priority DESC
            LIMIT 1) AS following
), line AS MATERIALIZED (
    SELECT level.priority, '-infinity'::timestamptz AS since, 0::bigint AS after
      FROM level
    UNION ALL
    SELECT place.priority, place.since, place.after
      FROM unnest(%(priorities)s::int[], %(since)s::timestamptz[], %(after)s::bigint[])
        AS place (priority, since, after)
     ORDER BY priority DESC
), chosen AS MATERIALIZED (  -- a plan that read it twice would take twice as many
    SELECT waiting.id
      FROM line
     CROSS JOIN clock
     CROSS JOIN LATERAL (
           SELECT candidate.id, candidate.priority, candidate.due_at
             FROM scheduler_run AS candidate
            WHERE candidate.executor = %(executor)s
              AND candidate.priority = line.priority
              AND candidate.node IS NULL
              AND candidate.finished_at IS NULL
              AND NOT candidate.held
              AND (candidate.due_at, candidate.id) >= (line.since, line.after)
              AND candidate.due_at <= clock.now
              AND (candidate.expires_at IS NULL OR candidate.expires_at > clock.now)
              AND candidate.task = ANY(%(tasks)s::text[])
              AND (%(only)s::bigint[] IS NULL OR candidate.id = ANY(%(only)s::bigint[]))
            ORDER BY candidate.due_at, candidate.id
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED) AS waiting
     LIMIT %(limit)s
), taken AS (
    UPDATE scheduler_run AS run
       SET node = %(node)s::uuid
      FROM chosen
     WHERE run.id = chosen.id
    RETURNING run.*
)
SELECT taken.id, taken.job_id, taken.job_name, taken.task, taken.args::text, taken.kwargs::text, taken.scheduled_at,
       taken.attempt, split_part(taken.executor, '@', 1) AS executor, taken.timeout AS timeout_seconds, taken.job_key,
       taken.public_id::text, taken.policies::text, taken.priority, taken.due_at
  FROM taken
 ORDER BY taken.priority DESC, taken.due_at, taken.id
