-- Find the time before which no job is due: that of the first job, or a moment ago, whichever is earlier. What somebody
-- commits late was to be due within that moment.
--
-- Locks:   none.
-- Params:  since timestamptz or NULL: look from there on
-- Rows:    one: the time; NULL: a job is due before all dates that programs can read
-- Index:   django_apscheduler_djangojob (next_run_time)

SELECT CASE WHEN first.due_at < '0001-01-02 00:00+00' THEN NULL
            ELSE least(first.due_at, clock_timestamp() - interval '1 second') END
  FROM (SELECT (SELECT parent.next_run_time
                  FROM django_apscheduler_djangojob AS parent
                 WHERE parent.next_run_time >= coalesce(%(since)s::timestamptz, '-infinity')
                 ORDER BY parent.next_run_time
                 LIMIT 1) AS due_at) AS first
