-- Mark nodes that were silent for too long as lost.
--
-- Locks:   the rows of the nodes, until the caller's transaction ends.
-- Params:  reap_after float8, seconds, NULL: nobody is too silent; reason_code text; now timestamptz or NULL
-- Rows:    id, name
-- Index:   scheduler_node_state_beat

UPDATE scheduler_node AS node
   SET state = 'lost',
       reason_code = %(reason_code)s,
       reason_params = jsonb_build_object('since', to_char(node.heartbeat_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
       stopped_at = coalesce(%(now)s::timestamptz, now())
  FROM (SELECT silent.id
          FROM scheduler_node AS silent
         WHERE silent.state IN ('running', 'stopping')
           AND (silent.heartbeat_at < coalesce(%(now)s::timestamptz, now()) - %(reap_after)s::float8 * interval '1 second'
                -- One from the future is older than the moment at which the clock was set back, and none followed it.
                OR silent.heartbeat_at > coalesce(%(now)s::timestamptz, now()) + %(reap_after)s::float8 * interval '1 second')
         ORDER BY silent.id
           FOR UPDATE SKIP LOCKED) AS dead
 WHERE node.id = dead.id
RETURNING node.id::text, node.name
