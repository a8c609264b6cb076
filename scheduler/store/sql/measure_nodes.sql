-- The nodes that are meant to be alive, with what they say of themselves.
--
-- Locks:   none.
-- Params:  fresh float8, seconds after which a heartbeat is old
-- Rows:    id, name, state, heartbeat age, uptime, stuck threads, executors (JSON), is fresh, then from its measures or
--          NULL: backlog, tick seconds, busy (JSON), waiting (JSON), connections, clock skew; the release of its time
--          zone rules; its memory in bytes and the processors that it keeps busy; the runs that keep its interpreter to
--          themselves, empty: none; its kind; the brokers that refused its messages, and
--          the queues that it serves (both JSON); somebody drained it
-- Index:   scheduler_node_state_beat

SELECT node.id::text, node.name, node.state,
       extract(epoch FROM clock_timestamp() - node.heartbeat_at)::float8,
       extract(epoch FROM clock_timestamp() - node.started_at)::float8,
       node.stuck, node.executors::text,
       node.heartbeat_at > clock_timestamp() - %(fresh)s * interval '1 second',
       measure.backlog, measure.tick_seconds, measure.busy::text, measure.waiting::text, measure.connections,
       extract(epoch FROM measure.clock_at - measure.reported_at)::float8,
       node.tzdata, measure.memory_bytes, measure.processors,
       CASE WHEN node.reason_code = 'interpreter_kept' THEN node.reason_params ->> 'runs' ELSE '' END,
       node.kind, measure.brokers::text, node.queues::text, node.drained_at IS NOT NULL
  FROM scheduler_node AS node
  LEFT JOIN scheduler_nodemeasure AS measure ON measure.node_id = node.id
 WHERE node.state IN ('running', 'stopping')
 ORDER BY node.name, node.started_at, node.id
