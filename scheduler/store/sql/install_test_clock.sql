-- Let this session, and the scheduler's triggers, find a clock that tests can move before that of PostgreSQL.
--
-- CURRENT_TIMESTAMP and defaults of columns are bound to PostgreSQL's own clock and stay there.
--
-- Locks:   rows of the catalogue, until the transaction ends.
-- Rows:    none
-- Index:   none

CREATE SCHEMA IF NOT EXISTS scheduler_testing;

CREATE OR REPLACE FUNCTION scheduler_testing.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(pg_catalog.current_setting('scheduler_testing.now', true), '')::timestamptz,
                    pg_catalog.clock_timestamp())
$$;

CREATE OR REPLACE FUNCTION scheduler_testing.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT scheduler_testing.clock_timestamp()
$$;

CREATE OR REPLACE FUNCTION scheduler_testing.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT scheduler_testing.clock_timestamp()
$$;

CREATE OR REPLACE FUNCTION scheduler_testing.transaction_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT scheduler_testing.clock_timestamp()
$$;

DO $do$
DECLARE
    found regprocedure;
BEGIN
    IF current_setting('search_path') NOT LIKE '%scheduler_testing%' THEN
        PERFORM set_config('search_path', current_setting('search_path') || ', scheduler_testing, pg_catalog', false);
    END IF;
    FOR found IN SELECT own.oid::regprocedure
                   FROM pg_catalog.pg_proc AS own
                  WHERE own.pronamespace = current_schema()::regnamespace
                    AND own.proname LIKE 'scheduler\_%'
                    AND own.proconfig::text LIKE '%search_path%'
                    AND own.proconfig::text NOT LIKE '%scheduler_testing%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path TO %I, scheduler_testing, pg_catalog, pg_temp',
                       found, current_schema());
    END LOOP;
END
$do$;
