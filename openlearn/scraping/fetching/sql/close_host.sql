-- Let no node request anything from a host before an instant: the host asked for it. A later one already known stays.
--
-- Locks:   the row of the host, until the statement ends.
-- Params:  host      text, "host" or "host:port"
--          until_at  timestamptz
-- Rows:    none
-- Index:   the primary key of scraping_host

INSERT INTO scraping_host AS host (name, opens_at, closed_until)
VALUES (%(host)s, clock_timestamp(), %(until_at)s)
ON CONFLICT (name) DO UPDATE
   SET closed_until = greatest(host.closed_until, %(until_at)s)
