-- Set what the node's statements rely on, whatever the server, the database and the role have as their defaults.
--
-- Locks:   none
-- Rows:    one, which nobody reads
-- Index:   none

SELECT set_config('timezone', 'UTC', false),
       set_config('datestyle', 'ISO, MDY', false),
       set_config('intervalstyle', 'postgres', false),
       set_config('array_nulls', 'on', false),
       set_config('standard_conforming_strings', 'on', false),
       set_config('extra_float_digits', '1', false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('default_transaction_deferrable', 'off', false),
       -- What somebody else has locked for longer is passed by. Transactions set limits of their own.
       set_config('lock_timeout', '200ms', false),
       -- A session that waits for hints says nothing. PostgreSQL 13 knows no such limit.
       CASE WHEN current_setting('idle_session_timeout', true) <> '0'
       THEN set_config('idle_session_timeout', '0', false)
       END,
       -- Without the triggers no edit would wake a node, and no history would be kept.
       CASE WHEN current_setting('session_replication_role') <> 'origin'
       THEN set_config('session_replication_role', 'origin', false)
       END,
       -- What was committed must survive a crash of the server: a run whose start is forgotten would run again.
       CASE current_setting('synchronous_commit')
       WHEN 'off' THEN set_config('synchronous_commit', 'on', false)
       END
