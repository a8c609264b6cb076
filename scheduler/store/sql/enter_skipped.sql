-- Enter fire times of a window that is owed as skipped.
--
-- Locks:   the rows that it inserts; the caller holds the window.
-- Params:  window bigint; arrays of one length: scheduled_at, covers_from (NULL: one fire time) timestamptz[],
--          coalesced int[]; reason_code text
-- Rows:    id; a row that is missing conflicted with scheduler_run_once_per_fire_time
-- Index:   the primary keys; scheduler_run_once_per_fire_time

INSERT INTO scheduler_run ({columns_of_a_run})
SELECT {owed_run}
  FROM scheduler_owed AS owed
  LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = owed.job_key
 CROSS JOIN unnest(%(scheduled_at)s::timestamptz[], %(covers_from)s::timestamptz[], %(coalesced)s::int[])
         AS skipped (scheduled_at, covers_from, coalesced)
 WHERE owed.id = %(window)s
    ON CONFLICT (job_id, scheduled_at, attempt) DO NOTHING
RETURNING id
