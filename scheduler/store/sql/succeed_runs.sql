-- Record plain successes (no result), if the runs are still this node's own: finish_runs for the most common outcome.
--
-- Locks:   the rows, until the caller's transaction ends.
-- Params:  node uuid, now timestamptz or NULL; arrays of one length: runs bigint[], started_ages and finished_ages
--          bigint[] (microseconds before now)
-- Rows:    id
-- Index:   the primary key. Written so that no index of active runs fits: it has an entry for each run that ended while
--          a transaction elsewhere is open

UPDATE scheduler_run AS run
   SET state = 'succeeded',
       -- Absent if the run skipped the gate, and after its own end if the clock was set back meanwhile.
       started_at = CASE WHEN run.started_at <= coalesce(%(now)s::timestamptz, clock_timestamp())
                                                - done.finished_age * interval '1 microsecond'
                         THEN run.started_at
                         ELSE coalesce(%(now)s::timestamptz, clock_timestamp())
                              - done.started_age * interval '1 microsecond' END,
       finished_at = coalesce(%(now)s::timestamptz, clock_timestamp()) - done.finished_age * interval '1 microsecond'
  FROM unnest(%(runs)s::bigint[], %(started_ages)s::bigint[], %(finished_ages)s::bigint[])
    AS done (id, started_age, finished_age)
 WHERE run.id = ANY (ARRAY(SELECT unnest(%(runs)s::bigint[])))
   AND run.id = done.id
   AND CASE WHEN run.finished_at IS NULL THEN run.node = %(node)s::uuid ELSE false END
RETURNING run.id
