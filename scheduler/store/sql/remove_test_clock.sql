-- Give this session and the scheduler's triggers PostgreSQL's own clock again.
--
-- Locks:   rows of the catalogue, until the transaction ends.
-- Rows:    none
-- Index:   none

DO $do$
DECLARE
    found regprocedure;
BEGIN
    FOR found IN SELECT own.oid::regprocedure
                   FROM pg_catalog.pg_proc AS own
                  WHERE own.pronamespace = current_schema()::regnamespace
                    AND own.proname LIKE 'scheduler\_%'
                    AND own.proconfig::text LIKE '%scheduler_testing%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path TO %I, pg_temp', found, current_schema());
    END LOOP;
    PERFORM set_config('search_path', replace(current_setting('search_path'), ', scheduler_testing, pg_catalog', ''), false);
    PERFORM set_config('scheduler_testing.now', '', false);
    DROP SCHEMA IF EXISTS scheduler_testing CASCADE;
END
$do$;
