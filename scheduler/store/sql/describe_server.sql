-- Return what a session cannot set by itself, and which database this is.
--
-- Locks:   none
-- Rows:    one: encoding, replication role, when the server started, the database's number
-- Index:   none

SELECT current_setting('server_encoding'), current_setting('session_replication_role'), pg_postmaster_start_time(),
       (SELECT oid::bigint FROM pg_database WHERE datname = current_database())
