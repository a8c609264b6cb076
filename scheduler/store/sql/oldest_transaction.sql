-- The transaction of this database that has been open longest: while it is, nothing that it could see is cleaned up.
--
-- Locks:   none.
-- Params:  none
-- Rows:    one, or none when no other transaction is open: its age in seconds, and who it is: the process and its
--          application, or the name of a prepared transaction
-- Index:   none; a row for each connection

SELECT extract(epoch FROM clock_timestamp() - old.since)::float8, old.name, old.is_prepared
  FROM (SELECT activity.xact_start AS since,
               activity.pid || coalesce(' (' || nullif(activity.application_name, '') || ')', '') AS name,
               false AS is_prepared
          FROM pg_stat_activity AS activity
         WHERE activity.datname = current_database()
           AND activity.pid <> pg_backend_pid()
           AND activity.backend_type = 'client backend'
           AND (activity.backend_xmin IS NOT NULL OR activity.backend_xid IS NOT NULL)
        UNION ALL
        SELECT prepared.prepared, prepared.gid, true
          FROM pg_prepared_xacts AS prepared
         WHERE prepared.database = current_database()) AS old
 WHERE old.since IS NOT NULL
 ORDER BY old.since
 LIMIT 1
