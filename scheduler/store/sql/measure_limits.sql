-- Count the runs that wait for limits, and name the limit with the most. There may be as many limits as runs.
--
-- Locks:   none.
-- Params:  most int, the most rows that are counted
-- Rows:    at most one: limit as people read it, runs that wait for it, age of the oldest in seconds, runs that wait for
--          any limit
-- Index:   scheduler_limited_waiting

SELECT waiting.label, count(*), extract(epoch FROM clock_timestamp() - min(waiting.asked_at))::float8,
       (sum(count(*)) OVER ())::bigint
  FROM (SELECT limited.label, limited.asked_at
          FROM scheduler_limited_run AS limited
         WHERE limited.granted_at IS NULL
           AND EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.id = limited.run AND run.finished_at IS NULL)
         LIMIT %(most)s) AS waiting
 GROUP BY waiting.label
 ORDER BY count(*) DESC, waiting.label
 LIMIT 1
