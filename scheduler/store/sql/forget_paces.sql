-- Forget the paces of keys that nothing started under for a while.
--
-- Locks:   the rows.
-- Params:  limit int, the most rows; now timestamptz or NULL
-- Rows:    none
-- Index:   none: the table has one row for each key of the last hours

DELETE FROM scheduler_rate_limit AS pace
 WHERE pace.key = ANY(ARRAY(SELECT old.key
                              FROM scheduler_rate_limit AS old
                             WHERE old.next_at < coalesce(%(now)s::timestamptz, now()) - interval '1 hour'
                             LIMIT %(limit)s
                               FOR UPDATE SKIP LOCKED))
