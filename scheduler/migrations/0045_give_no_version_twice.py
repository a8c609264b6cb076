"""
Raise the version of a job with every change of its definition, also one that SQL or the models make.

A copy of a row that is out of date and is written as a whole can no longer set the version back, so that an ETag or a
version that somebody has read fits again. Nodes of the release before go on: they raise versions themselves.
"""

from django.db import migrations

# Replacing a function drops its search path.
SEARCH_PATH = """
DO $$
DECLARE
    found regprocedure;
BEGIN
    FOR found IN
        SELECT routine.oid::regprocedure
          FROM pg_proc AS routine
         WHERE routine.pronamespace = current_schema()::regnamespace
           AND routine.proname LIKE 'scheduler\\_%' AND routine.prorettype = 'trigger'::regtype
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path TO %I, pg_temp', found, current_schema());
    END LOOP;
END
$$;
"""

FORWARD = """
CREATE OR REPLACE FUNCTION scheduler_job_changed() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    -- The services raise the version with every change; whoever does not is inspected by a node.
    IF NEW.version <= OLD.version THEN
        IF NEW.trigger IS DISTINCT FROM OLD.trigger THEN
            NEW.needs_rescheduling := true;
        END IF;
        NEW.needs_inspection := NEW.needs_inspection
            OR NEW.trigger IS DISTINCT FROM OLD.trigger
            OR NEW.task IS DISTINCT FROM OLD.task
            OR NEW.args IS DISTINCT FROM OLD.args
            OR NEW.kwargs IS DISTINCT FROM OLD.kwargs
            OR (NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('active', 'paused', 'finished'));
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION scheduler_raise_version() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    -- Nodes write these. Everything else is part of the definition, columns of later migrations included.
    kept_by_nodes CONSTANT text[] := ARRAY[
        'version', 'state', 'paused_until', 'state_reason', 'reason_code', 'reason_params', 'state_changed_at',
        'state_changed_by', 'updated_at', 'updated_by', 'needs_inspection', 'needs_rescheduling', 'interrupted_at',
        'consecutive_failures'];
BEGIN
    IF NEW.version < OLD.version OR to_jsonb(NEW) - kept_by_nodes <> to_jsonb(OLD) - kept_by_nodes THEN
        NEW.version := least(OLD.version, 2147483646) + 1;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER scheduler_raise_version
    BEFORE UPDATE OF version, name, tags, description, task, args, kwargs, trigger, executor, priority, queue,
        "coalesce", max_instances, misfire_grace_time, rerun_if_interrupted, overlap, timeout, max_retries,
        retry_delay, retry_backoff, retry_delay_cap, retry_jitter, pause_after_failures, state, state_reason,
        source, paused_until ON scheduler_job
        FOR EACH ROW WHEN ((new.version <= old.version)) EXECUTE FUNCTION scheduler_raise_version();
"""

BACKWARD = """
DROP TRIGGER scheduler_raise_version ON scheduler_job;
DROP FUNCTION scheduler_raise_version();

CREATE OR REPLACE FUNCTION scheduler_job_changed() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    -- The services raise the version with every change; whoever does not is inspected by a node.
    IF NEW.version = OLD.version AND NOT NEW.needs_inspection THEN
        IF NEW.trigger IS DISTINCT FROM OLD.trigger THEN
            NEW.needs_rescheduling := true;
        END IF;
        NEW.needs_inspection := NEW.trigger IS DISTINCT FROM OLD.trigger
            OR NEW.task IS DISTINCT FROM OLD.task
            OR NEW.args IS DISTINCT FROM OLD.args
            OR NEW.kwargs IS DISTINCT FROM OLD.kwargs
            OR (NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('active', 'paused', 'finished'));
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0044_find_enqueued_runs")]

    operations = [migrations.RunSQL(FORWARD + SEARCH_PATH, BACKWARD + SEARCH_PATH)]
