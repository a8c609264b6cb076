-- Give one request its turn at a host, over all nodes: turns are handed out in the order of asking.
--
-- Locks:   the row of the host, until the statement ends (it runs outside of transactions).
-- Params:  host      text, "host" or "host:port"
--          delay     float, seconds between this request and the next one
--          patience  float, the most seconds that the caller waits
-- Rows:    one: wait_seconds float, NULL if there is no turn within the patience or the host is closed,
--               and then nothing was taken; closed_until timestamptz, as it was before
-- Index:   the primary key of scraping_host

WITH turn AS (
    INSERT INTO scraping_host AS host (name, opens_at)
    VALUES (%(host)s, clock_timestamp() + %(delay)s * interval '1 second')
    ON CONFLICT (name) DO UPDATE
       SET opens_at = greatest(host.opens_at, clock_timestamp()) + %(delay)s * interval '1 second'
     WHERE (host.closed_until IS NULL OR host.closed_until <= clock_timestamp())
       AND host.opens_at <= clock_timestamp() + %(patience)s * interval '1 second'
    RETURNING opens_at - %(delay)s * interval '1 second' AS turn_at
)
SELECT (SELECT greatest(0, extract(epoch FROM turn_at - clock_timestamp()))::float8 FROM turn) AS wait_seconds,
       (SELECT closed_until FROM scraping_host WHERE name = %(host)s) AS closed_until
