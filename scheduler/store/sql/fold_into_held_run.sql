-- Let runs that wait for their turn stand for further fire times.
--
-- Locks:   the rows, until the caller's transaction ends; the caller holds the rows of their jobs.
-- Params:  arrays of one length: runs bigint[], scheduled_at timestamptz[] (the newest fire time), counts int[]
--          (how many new ones)
-- Rows:    id; a run that began meanwhile is left out, and one whose place a backfill has taken
-- Index:   the primary key; scheduler_run_once_per_fire_time. Written so that no index of held runs fits: it has all of
--          them, and a join may read all first attempts, as long as the server has no statistics

UPDATE scheduler_run AS run
   SET covers_from = coalesce(run.covers_from, run.scheduled_at),
       scheduled_at = further.scheduled_at,
       coalesced = least(run.coalesced::bigint + further.count, 2147483647)
  FROM unnest(%(runs)s::bigint[], %(scheduled_at)s::timestamptz[], %(counts)s::int[])
    AS further (id, scheduled_at, count)
 WHERE run.id = ANY (ARRAY(SELECT unnest(%(runs)s::bigint[])))
   AND run.id = further.id
   AND CASE WHEN run.finished_at IS NULL THEN run.held ELSE false END
   AND (SELECT count(*)
          FROM scheduler_run AS other
         WHERE other.job_id = run.job_id
           AND other.scheduled_at = further.scheduled_at
           AND other.attempt = run.attempt) = 0
RETURNING run.id
