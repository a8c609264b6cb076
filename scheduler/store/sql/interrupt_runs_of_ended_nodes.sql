-- End running runs of nodes that are gone, or that nobody knows any more, and give each a recovery attempt where its
-- job, or an enqueued run itself, wants one.
--
-- Locks:   the parent rows of the jobs, by id, and then the runs: the order that claims and services keep; until the
--          caller's transaction ends. What somebody else has locked is passed by.
-- Params:  runs bigint[]; max_recoveries int; reason_code text; error text, with %%s for the name of the
--          node; now timestamptz or NULL
-- Rows:    id, task, public_id (NULL: of a job), recovered (boolean)
-- Index:   the primary keys

WITH orphan AS MATERIALIZED (
    SELECT run.id, run.job_id
      FROM scheduler_run AS run
     WHERE run.id = ANY(%(runs)s::bigint[])
       AND run.node IS NOT NULL
       AND run.finished_at IS NULL
       AND run.state = 'running'
       AND NOT EXISTS (SELECT 1
                         FROM scheduler_node AS node
                        WHERE node.id = run.node
                          AND node.state IN ('running', 'stopping'))
), locked_job AS MATERIALIZED (
    SELECT parent.id
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id IN (SELECT orphan.job_id FROM orphan)
     ORDER BY parent.id
       FOR UPDATE SKIP LOCKED
), locked AS MATERIALIZED (
    SELECT run.id
      FROM orphan
      JOIN scheduler_run AS run ON run.id = orphan.id
     WHERE run.finished_at IS NULL
       AND (orphan.job_id IS NULL
            OR orphan.job_id IN (SELECT locked_job.id FROM locked_job)
            OR NOT EXISTS (SELECT 1 FROM django_apscheduler_djangojob AS parent WHERE parent.id = orphan.job_id))
     ORDER BY run.id
       FOR UPDATE OF run SKIP LOCKED
), interrupted AS (
    UPDATE scheduler_run AS run
       SET state = 'interrupted',
           finished_at = coalesce(%(now)s::timestamptz, now()),
           reason_code = %(reason_code)s,
           reason_params = jsonb_build_object(
               'node', coalesce((SELECT node.name FROM scheduler_node AS node WHERE node.id = run.node),
                                run.node::text)),
           error = format(%(error)s,
                          coalesce((SELECT node.name FROM scheduler_node AS node WHERE node.id = run.node),
                                   run.node::text))
      FROM locked
     WHERE run.id = locked.id
    RETURNING run.*
), recovered AS (
    INSERT INTO scheduler_run ({columns_of_a_run})
    SELECT {further_attempt}
      FROM interrupted AS run
      LEFT JOIN scheduler_job AS job ON job.djangojob_ptr_id = run.job_id
     CROSS JOIN (SELECT 'recovery' AS kind, false AS held, coalesce(%(now)s::timestamptz, now()) AS at,
                        coalesce(%(now)s::timestamptz, now()) AS due_at) AS again
     WHERE coalesce(job.rerun_if_interrupted, (run.policies ->> 'rerun_if_interrupted')::boolean, false)
       AND (SELECT count(*)
              FROM scheduler_run AS earlier
             WHERE earlier.job_id = run.job_id
               AND earlier.scheduled_at = run.scheduled_at
               AND earlier.kind = 'recovery') < %(max_recoveries)s
       AND (SELECT count(*)
              FROM scheduler_run AS earlier
             WHERE earlier.public_id = run.public_id
               AND earlier.kind = 'recovery') < %(max_recoveries)s
        ON CONFLICT DO NOTHING
    RETURNING previous_id
)
SELECT interrupted.id, interrupted.task, interrupted.public_id::text, interrupted.id IN (SELECT recovered.previous_id FROM recovered)
  FROM interrupted
