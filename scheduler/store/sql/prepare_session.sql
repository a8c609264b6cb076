-- Set what the node's statements rely on, whatever the server, the database and the role have as their defaults.
--
-- Rows:    one, which nobody reads

SELECT set_config('timezone', 'UTC', false),
       set_config('datestyle', 'ISO, MDY', false),
       set_config('intervalstyle', 'postgres', false),
       set_config('array_nulls', 'on', false),
       set_config('standard_conforming_strings', 'on', false),
       set_config('extra_float_digits', '1', false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('default_transaction_deferrable', 'off', false),
       -- What was committed must survive a crash of the server: a run whose start is forgotten would run again.
       CASE current_setting('synchronous_commit')
       WHEN 'off' THEN set_config('synchronous_commit', 'on', false)
       END
