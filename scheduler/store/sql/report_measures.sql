-- Say what a node measures of itself.
--
-- Locks:   the row of the node's measures, for the length of the statement.
-- Params:  node uuid; clock timestamptz; backlog int; backlog_seconds float8; tick_seconds float8 or NULL; busy, waiting jsonb; connections int;
--          brokers jsonb, those that refuse messages; memory_bytes bigint or NULL; processors float8 or NULL
-- Rows:    none; nothing is written for a node that has no row
-- Index:   the primary key

INSERT INTO scheduler_nodemeasure AS measure (
       node_id, clock_at, reported_at, backlog, backlog_seconds, tick_seconds, busy, waiting, connections,
       brokers, memory_bytes, processors)
SELECT node.id, %(clock)s::timestamptz, clock_timestamp(), %(backlog)s, %(backlog_seconds)s::float8, %(tick_seconds)s::float8, %(busy)s::jsonb,
       %(waiting)s::jsonb, %(connections)s, %(brokers)s::jsonb, %(memory_bytes)s::bigint, %(processors)s::float8
  FROM scheduler_node AS node
 WHERE node.id = %(node)s::uuid
    ON CONFLICT (node_id) DO UPDATE
   SET clock_at = excluded.clock_at,
       reported_at = excluded.reported_at,
       backlog = excluded.backlog,
       backlog_seconds = excluded.backlog_seconds,
       tick_seconds = excluded.tick_seconds,
       busy = excluded.busy,
       waiting = excluded.waiting,
       connections = excluded.connections,
       brokers = excluded.brokers,
       memory_bytes = excluded.memory_bytes,
       processors = excluded.processors
