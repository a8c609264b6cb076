-- Find planned rows of which the ledger covers fire times already.
--
-- Locks:   none; the caller holds the rows of the jobs, so that nobody else enters fire times meanwhile.
-- Params:  arrays of one length: jobs text[]; firsts, lasts timestamptz[]: the oldest and the newest fire time of each row
-- Rows:    place (from 1) of each row of which any is covered; whether its newest is. A run that a person asked for has the
--          instant at which that was, which is no fire time
-- Index:   scheduler_run_once_per_fire_time

SELECT planned.place,
       EXISTS (SELECT 1
                 FROM scheduler_run AS run
                WHERE run.job_id = planned.job_id
                  AND run.scheduled_at >= planned.last
                  AND coalesce(run.covers_from, run.scheduled_at) <= planned.last
                  AND run.attempt = 1)
  FROM unnest(%(jobs)s::text[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) WITH ORDINALITY
         AS planned (job_id, first, last, place)
 -- One by one and in the order of the index: a join may read all first attempts, as long as the server has no statistics.
 CROSS JOIN LATERAL (SELECT 1
                       FROM scheduler_run AS run
                      WHERE run.job_id = planned.job_id
                        AND run.scheduled_at >= planned.first
                        AND coalesce(run.covers_from, run.scheduled_at) <= planned.last
                        AND run.attempt = 1
                        AND (run.kind <> 'manual' OR run.scheduled_at <> run.created_at
                             OR run.scheduled_at = planned.last)
                      ORDER BY run.scheduled_at
                      LIMIT 1) AS known
