-- How many runs of each queue have run and ended, ever and within the last hour.
--
-- Locks:   none.
-- Params:  now timestamptz or NULL
-- Rows:    name, ended, ended_last_hour (by five minutes)
-- Index:   none: a row for each node, queue and five minutes since the last fold

SELECT counter.queue AS name, least(sum(counter.runs), 9223372036854775807)::bigint AS ended,
       least(coalesce(sum(counter.runs) FILTER (
           WHERE counter.since > coalesce(%(now)s::timestamptz, now()) - interval '1 hour'), 0), 9223372036854775807)::bigint AS ended_last_hour
  FROM scheduler_queuecounter AS counter
 GROUP BY counter.queue
 ORDER BY counter.queue
