-- Announce a node that has just started.
--
-- Locks:   the row that it inserts.
-- Params:  node uuid, name, host, pid, version, kind, executors, tasks and queues (JSON), tzdata text, now timestamptz or NULL
-- Rows:    none
-- Index:   the primary key

INSERT INTO scheduler_node (
       id, name, host, pid, version, kind, executors, tasks, queues, tzdata, state, reason, started_at, heartbeat_at)
VALUES (%(node)s::uuid, %(name)s, %(host)s, %(pid)s, %(version)s, %(kind)s, %(executors)s::jsonb, %(tasks)s::jsonb,
        %(queues)s::jsonb, %(tzdata)s, 'running', '', coalesce(%(now)s::timestamptz, now()), coalesce(%(now)s::timestamptz, now()))
