"""
Let rows be written by whoever restores, copies or replicates them.

``pg_restore`` empties the search path, so the functions bring their own. It also loads the history before the jobs: a job
that comes in with its history gets no second first line.
"""

from django.db import migrations

FORWARD = """
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

CREATE FUNCTION scheduler_note_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Of a job that is made anew, the newest line says that it was deleted.
    IF (SELECT action FROM scheduler_change WHERE job_key = NEW.job_key ORDER BY id DESC LIMIT 1) <> 'deleted'
    THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION scheduler_note_once() SET search_path TO %I, pg_temp', current_schema());
END
$$;

CREATE TRIGGER scheduler_change_noted_once BEFORE INSERT ON scheduler_change
    FOR EACH ROW WHEN (NEW.action = 'created' AND NEW.via = 'database') EXECUTE FUNCTION scheduler_note_once();
"""

BACKWARD = """
DROP TRIGGER scheduler_change_noted_once ON scheduler_change;
DROP FUNCTION scheduler_note_once();
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
        EXECUTE format('ALTER FUNCTION %s RESET search_path', found);
    END LOOP;
END
$$;
"""


class Migration(migrations.Migration):

    dependencies = [('scheduler', '0027_owe_before_deletion')]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
