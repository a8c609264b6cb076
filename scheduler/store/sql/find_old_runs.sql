-- Look at one page of the ledger, by id, and name the finished runs in it that may go.
--
-- Enqueued runs are found by find_old_enqueued_runs. A job keeps its newest runs; one that ended long ago, or was deleted, keeps none. Attempts at one fire time go
-- together: while a later one stays, so do those before it.
--
-- Locks:   none.
-- Params:  after bigint, the id to go on from; limit int, the rows to look at; cutoff timestamptz; keep int
-- Rows:    one: the page's last id (NULL: the ledger ends), how many rows it has, whether any of them was created before
--          the cutoff, ids bigint[]
-- Index:   the primary key; scheduler_run_once_per_fire_time; scheduler_run_active_of_job

WITH page AS MATERIALIZED (
    SELECT run.id, run.job_id, run.public_id, run.scheduled_at, run.attempt, run.created_at, run.finished_at
      FROM scheduler_run AS run
     WHERE run.id > %(after)s::bigint
     ORDER BY run.id
     LIMIT %(limit)s::int
), owner AS MATERIALIZED (
    SELECT present.job_id,
           CASE WHEN job.djangojob_ptr_id IS NULL
                  OR (job.state = 'finished'
                      AND coalesce(job.state_changed_at, job.updated_at) < %(cutoff)s::timestamptz
                      AND NOT EXISTS (SELECT 1
                                        FROM scheduler_run AS active
                                       WHERE active.job_id = present.job_id
                                         AND active.finished_at IS NULL))
                THEN 0 ELSE %(keep)s::int END AS kept
      FROM (SELECT DISTINCT page.job_id
              FROM page
             WHERE page.job_id IS NOT NULL
               AND page.finished_at < %(cutoff)s::timestamptz) AS present
      LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = present.job_id
), newest_to_go AS MATERIALIZED (
    SELECT owner.job_id, run.scheduled_at, run.attempt
      FROM owner
     CROSS JOIN LATERAL (SELECT candidate.scheduled_at, candidate.attempt
                           FROM scheduler_run AS candidate
                          WHERE candidate.job_id = owner.job_id
                            AND candidate.finished_at IS NOT NULL
                          ORDER BY candidate.scheduled_at DESC, candidate.attempt DESC
                          LIMIT 1 OFFSET owner.kept) AS run
), old AS (
    SELECT page.id
      FROM page
      LEFT JOIN newest_to_go AS bound ON bound.job_id = page.job_id
     WHERE page.finished_at < %(cutoff)s::timestamptz
       AND page.public_id IS NULL
       AND (page.job_id IS NULL
            OR ((page.scheduled_at, page.attempt) <= (bound.scheduled_at, bound.attempt)
                AND NOT EXISTS (SELECT 1
                                  FROM scheduler_run AS later
                                 WHERE later.job_id = page.job_id
                                   AND later.scheduled_at = page.scheduled_at
                                   AND later.attempt > page.attempt
                                   AND (later.finished_at IS NULL
                                        OR later.finished_at >= %(cutoff)s::timestamptz
                                        OR later.attempt > bound.attempt AND later.scheduled_at = bound.scheduled_at))))
)
SELECT (SELECT max(page.id) FROM page),
       (SELECT count(*) FROM page),
       coalesce((SELECT bool_or(page.created_at < %(cutoff)s::timestamptz) FROM page), false),
       coalesce((SELECT array_agg(old.id ORDER BY old.id) FROM old), '{}')
