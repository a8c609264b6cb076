-- Look at one page of enqueued runs, by their result ids, which grow with time, and name the attempts that may go.
--
-- Attempts of one result go together, when the last one ended long enough ago for its outcome and its queue.
--
-- Locks:   none.
-- Params:  after and bound uuid, between which result ids are looked at; limit int, the rows to look at; now timestamptz;
--          successes_days and failures_days float8, where a queue says nothing else
-- Rows:    one: the page's last result id (NULL: there is no further one), how many rows it has, ids bigint[]
-- Index:   scheduler_run_enqueued_once_per_attempt

WITH page AS MATERIALIZED (
    SELECT run.id, run.public_id, run.queue
      FROM scheduler_run AS run
     WHERE run.public_id > %(after)s::uuid
       AND run.public_id < %(bound)s::uuid
     ORDER BY run.public_id, run.attempt
     LIMIT %(limit)s::int
), old AS (
    SELECT page.id
      FROM page
     CROSS JOIN LATERAL (SELECT attempt.state, attempt.finished_at
                           FROM scheduler_run AS attempt
                          WHERE attempt.public_id = page.public_id
                          ORDER BY attempt.attempt DESC
                          LIMIT 1) AS last
      LEFT JOIN scheduler_queue AS queue ON queue.name = page.queue
     WHERE last.finished_at < %(now)s::timestamptz - interval '1 day'
           * CASE WHEN last.state IN ('succeeded', 'skipped') THEN coalesce(queue.keep_successes_days, %(successes_days)s)
                  ELSE coalesce(queue.keep_failures_days, %(failures_days)s) END
)
SELECT (SELECT max(page.public_id::text) FROM page),
       (SELECT count(*) FROM page),
       coalesce((SELECT array_agg(old.id ORDER BY old.id) FROM old), '{}')
