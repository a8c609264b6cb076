-- Record outcomes, if the runs are still this node's own.
--
-- Locks:   the rows, until the caller's transaction ends.
-- Params:  node uuid, now timestamptz or NULL; arrays of one length: runs bigint[], states text[],
--          started_ages and finished_ages bigint[] (microseconds before now), results jsonb as text[], errors text[]
--          (NULL: none), tracebacks, logs, progress (JSON, NULL: as it was): text[];
--          reason_codes text[] and reason_params jsonb as text[]: NULL, or of the same length
-- Rows:    id
-- Index:   the primary key. Written so that no index of active runs fits: it has an entry for each run that ended while
--          a transaction elsewhere is open

UPDATE scheduler_run AS run
   SET state = done.state,
       -- Absent if the run skipped the gate, and after its own end if the clock was set back meanwhile.
       started_at = CASE WHEN run.started_at <= coalesce(%(now)s::timestamptz, clock_timestamp())
                                                - done.finished_age * interval '1 microsecond'
                         THEN run.started_at
                         ELSE coalesce(%(now)s::timestamptz, clock_timestamp())
                              - done.started_age * interval '1 microsecond' END,
       finished_at = coalesce(%(now)s::timestamptz, clock_timestamp()) - done.finished_age * interval '1 microsecond',
       result = done.result::jsonb,
       error = done.error,
       traceback = done.traceback,
       log = done.log,
       progress = coalesce(done.progress::jsonb, run.progress),
       reason = '',
       reason_code = coalesce(done.reason_code, ''),
       reason_params = done.reason_params::jsonb
  FROM unnest(%(runs)s::bigint[], %(states)s::text[], %(started_ages)s::bigint[], %(finished_ages)s::bigint[],
              %(results)s::text[], %(errors)s::text[], %(tracebacks)s::text[], %(logs)s::text[], %(progress)s::text[],
              %(reason_codes)s::text[], %(reason_params)s::text[])
    AS done (id, state, started_age, finished_age, result, error, traceback, log, progress, reason_code, reason_params)
 WHERE run.id = ANY (ARRAY(SELECT unnest(%(runs)s::bigint[])))
   AND run.id = done.id
   AND CASE WHEN run.finished_at IS NULL THEN run.node = %(node)s::uuid ELSE false END
RETURNING run.id
