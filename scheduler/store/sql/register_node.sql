-- Announce a node that has just started.
--
-- Locks:   the row that it inserts.
-- Params:  node uuid, name, host, pid, version, kind, executors, tasks and queues (JSON), tzdata text, former uuid or NULL:
--          the id that it had before, now timestamptz or NULL
-- Rows:    none
-- Index:   the primary key

INSERT INTO scheduler_node (
       id, name, host, pid, version, kind, executors, tasks, queues, tzdata, state, reason, drained_at, drained_by, started_at,
       heartbeat_at)
SELECT %(node)s::uuid, %(name)s, %(host)s, %(pid)s, %(version)s, %(kind)s, %(executors)s::jsonb, %(tasks)s::jsonb,
        %(queues)s::jsonb, %(tzdata)s, 'running', '',
       -- A node that comes back under another id stays drained.
       former.drained_at, coalesce(former.drained_by, ''), coalesce(%(now)s::timestamptz, now()),
       coalesce(%(now)s::timestamptz, now())
  FROM (SELECT %(former)s::uuid AS id) AS named
  LEFT JOIN scheduler_node AS former ON former.id = named.id
