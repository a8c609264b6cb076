-- Note runs that are to start under a limit.
--
-- Locks:   none that others need.
-- Params:  arrays of one length: runs bigint[], lanes, labels, rate_keys text[], rate_seconds float8[],
--          concurrency_keys text[], concurrency_most int[]
-- Rows:    none
-- Index:   the primary keys

INSERT INTO scheduler_limited_run
       (run, lane, label, rate_key, rate_seconds, concurrency_key, concurrency_most, priority)
SELECT run.id, wanted.lane, wanted.label, wanted.rate_key, wanted.rate_seconds, wanted.concurrency_key,
       wanted.concurrency_most, run.priority
  FROM unnest(%(runs)s::bigint[], %(lanes)s::text[], %(labels)s::text[], %(rate_keys)s::text[],
              %(rate_seconds)s::float8[], %(concurrency_keys)s::text[], %(concurrency_most)s::int[])
    AS wanted (id, lane, label, rate_key, rate_seconds, concurrency_key, concurrency_most)
  JOIN scheduler_run AS run ON run.id = wanted.id
    ON CONFLICT (run) DO NOTHING
