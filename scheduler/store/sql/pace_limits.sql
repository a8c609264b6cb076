-- Note when the rates of keys allow their next starts.
--
-- Locks:   the rows; the caller is the one node that decides.
-- Params:  arrays of one length: keys text[], seconds float8[] from now; now timestamptz or NULL
-- Rows:    none
-- Index:   the primary key

INSERT INTO scheduler_rate_limit (key, next_at)
SELECT pace.key, coalesce(%(now)s::timestamptz, now()) + least(pace.seconds, 1e8) * interval '1 second'
  FROM unnest(%(keys)s::text[], %(seconds)s::float8[]) AS pace (key, seconds)
    ON CONFLICT (key) DO UPDATE SET next_at = excluded.next_at
