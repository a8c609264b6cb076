"""Let the database itself notice changes of definitions, so that raw SQL is honoured like a call of the services."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION scheduler_job_changed() RETURNS trigger LANGUAGE plpgsql AS $$
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
            OR (NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('active', 'paused'));
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER scheduler_job_changed BEFORE UPDATE OF trigger, task, args, kwargs, state ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_job_changed();

CREATE FUNCTION scheduler_notify_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('scheduler_jobs', '');
    RETURN NULL;
END $$;

-- Claims write next_run_time only, in the other table: they notify nobody.
CREATE TRIGGER scheduler_notify_jobs AFTER INSERT OR DELETE OR UPDATE ON scheduler_job
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_notify_jobs();

CREATE FUNCTION scheduler_keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE scheduler_run SET job_id = NULL WHERE job_id = OLD.djangojob_ptr_id;
    RETURN NULL;
END $$;

-- What ON DELETE SET NULL would do, without the cost of a foreign key at each insert into the ledger.
CREATE TRIGGER scheduler_keep_history AFTER DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_keep_history();

-- Room on each page for the next version of a row: starting a run then touches no index.
ALTER TABLE scheduler_run SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE django_apscheduler_djangojob SET (fillfactor = 70);
"""

BACKWARD = """
ALTER TABLE django_apscheduler_djangojob RESET (fillfactor);
ALTER TABLE scheduler_run RESET (fillfactor, autovacuum_vacuum_scale_factor);
DROP TRIGGER scheduler_keep_history ON scheduler_job;
DROP FUNCTION scheduler_keep_history();
DROP TRIGGER scheduler_notify_jobs ON scheduler_job;
DROP FUNCTION scheduler_notify_jobs();
DROP TRIGGER scheduler_job_changed ON scheduler_job;
DROP FUNCTION scheduler_job_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
