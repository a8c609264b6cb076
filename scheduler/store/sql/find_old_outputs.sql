-- Look at one page of the ledger, by id, and name the runs in it whose result, log and traceback may go.
--
-- Enqueued runs keep theirs: callers read the result as long as the run is there.
--
-- Locks:   none.
-- Params:  after bigint, the id to go on from; limit int, the rows to look at; cutoff timestamptz
-- Rows:    one: the page's last id (NULL: the ledger ends), whether any of its rows was created before the cutoff, the
--          id of the first that has not ended before it (NULL: all have), ids bigint[]
-- Index:   the primary key

WITH page AS MATERIALIZED (
    SELECT run.id, run.created_at, run.finished_at < %(cutoff)s::timestamptz AS is_old,
           run.public_id IS NULL
           AND (run.result IS NOT NULL OR run.log <> '' OR run.traceback <> '') AS has_output
      FROM scheduler_run AS run
     WHERE run.id > %(after)s::bigint
     ORDER BY run.id
     LIMIT %(limit)s::int
)
SELECT max(page.id),
       coalesce(bool_or(page.created_at < %(cutoff)s::timestamptz), false),
       min(page.id) FILTER (WHERE page.is_old IS NOT TRUE),
       coalesce(array_agg(page.id ORDER BY page.id) FILTER (WHERE page.is_old AND page.has_output), '{}')
  FROM page
