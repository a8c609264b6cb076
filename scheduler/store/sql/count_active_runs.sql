-- Count the active runs of jobs, and find the newest that waits for its turn.
--
-- Locks:   none; the caller holds the rows of the jobs, so nobody else adds a run meanwhile.
-- Params:  jobs text[], since bigint[] of one length: active runs of a job have this number or a higher one
-- Rows:    job_id, active, manual ones of them, id and newest fire time of the newest held run that waits for its turn
--          (NULL: none), least number of an active run, held ones included; jobs without an active run are left out
-- Index:   scheduler_run_active_of_job, from “since” on: entries of runs that ended are not read while a transaction
--          elsewhere keeps them; scheduler_run_held_fire_time

WITH wanted AS MATERIALIZED (
    SELECT wanted.id, wanted.since
      FROM unnest(%(jobs)s::text[], %(since)s::bigint[]) AS wanted (id, since)
), held AS MATERIALIZED (
    SELECT wanted.id AS job_id, oldest.id AS first, newest.id AS waiting, newest.scheduled_at
      FROM wanted
     CROSS JOIN LATERAL (SELECT run.id
                           FROM scheduler_run AS run
                          WHERE run.job_id = wanted.id
                            AND run.held
                            AND run.finished_at IS NULL
                          ORDER BY run.id
                          LIMIT 1) AS oldest
      LEFT JOIN LATERAL (SELECT run.id, run.scheduled_at
                           FROM scheduler_run AS run
                          WHERE run.job_id = wanted.id
                            AND run.held
                            AND run.kind = 'scheduled'
                            AND run.finished_at IS NULL
                          ORDER BY run.scheduled_at DESC
                          LIMIT 1) AS newest ON true
     -- Asked once: mostly there is none, and then no job is looked up.
     WHERE (SELECT EXISTS (SELECT 1 FROM scheduler_run AS any_run WHERE any_run.held AND any_run.finished_at IS NULL))
)
SELECT wanted.id, active.runs, active.manual, held.waiting, held.scheduled_at, least(active.first, held.first)
  FROM wanted
 CROSS JOIN LATERAL (SELECT count(*) AS runs, count(*) FILTER (WHERE run.kind = 'manual') AS manual, min(run.id) AS first
                       FROM (SELECT active.id, active.kind
                               FROM scheduler_run AS active
                              WHERE active.job_id = wanted.id
                                AND NOT active.held
                                AND active.id >= wanted.since
                                AND active.finished_at IS NULL
                              -- In the order of the index, so that no other is taken where there are no statistics.
                              ORDER BY active.id
                              LIMIT 20000) AS run) AS active
  LEFT JOIN held ON held.job_id = wanted.id
 WHERE active.runs > 0
    OR held.first IS NOT NULL
