"""
Let the row of a job say what it owes: an active one whose time was cleared goes on from there, whatever comes next.

Nodes of the release before mend such jobs by windows; those that are left are turned into debts of their jobs here.
"""

from django.db import migrations, models

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

CREATE OR REPLACE FUNCTION scheduler_keep_history() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    -- Most jobs have no more runs than this. Those of the others are detached by nodes, a thousand at a time.
    UPDATE scheduler_run AS run
       SET job_id = NULL
     WHERE run.id = ANY(ARRAY(SELECT own.id
                                FROM scheduler_run AS own
                               WHERE own.job_id = OLD.djangojob_ptr_id
                               ORDER BY own.scheduled_at DESC, own.attempt DESC
                               LIMIT 2000
                                 FOR NO KEY UPDATE SKIP LOCKED));
    IF EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.job_id = OLD.djangojob_ptr_id) THEN
        INSERT INTO scheduler_removed (job_key) VALUES (OLD.djangojob_ptr_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION scheduler_owe(job scheduler_job, first timestamp with time zone, until timestamp with time zone) RETURNS void LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
    IF first IS NULL OR first > until THEN
        RETURN;
    END IF;
    -- What an attempt covers already is accounted for.
    IF EXISTS (
        SELECT 1
          FROM scheduler_run AS run
         WHERE run.job_id = job.djangojob_ptr_id
           AND run.scheduled_at >= first
           AND coalesce(run.covers_from, run.scheduled_at) <= first
           AND run.attempt = 1)
    THEN
        RETURN;
    END IF;
    -- It was noted already: by the trigger that the job has it goes on, by the one that it had then it stays as it is.
    UPDATE scheduler_owed AS owed
       SET until = CASE WHEN owed.trigger = job.trigger THEN greatest(owed.until, scheduler_owe.until) ELSE owed.until END
     WHERE owed.job_key = job.djangojob_ptr_id
       AND owed.first = scheduler_owe.first;
    IF FOUND THEN
        RETURN;
    END IF;
    INSERT INTO scheduler_owed (job_key, job_name, task, executor, priority, trigger, first, until)
    VALUES (job.djangojob_ptr_id, job.name, job.task, job.executor, job.priority, job.trigger, first, until);
END $$;

CREATE OR REPLACE FUNCTION scheduler_note_owed() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    job scheduler_job%ROWTYPE;
BEGIN
    SELECT * INTO job FROM scheduler_job AS candidate WHERE candidate.djangojob_ptr_id = OLD.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NEW.next_run_time IS NULL AND job.state = 'active' THEN
        -- Whoever ends or pauses it says so next. Otherwise a node puts it back into the schedule, where it was.
        UPDATE scheduler_job AS cleared
           SET interrupted_at = least(cleared.interrupted_at, OLD.next_run_time), needs_inspection = true
         WHERE cleared.djangojob_ptr_id = OLD.id;
    ELSE
        PERFORM scheduler_owe(job, OLD.next_run_time,
                              least(clock_timestamp(), NEW.next_run_time - interval '1 microsecond'));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION scheduler_note_other_trigger() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    due_at timestamptz;
BEGIN
    SELECT parent.next_run_time INTO due_at
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id = OLD.djangojob_ptr_id;
    IF OLD.state = 'active' THEN
        PERFORM scheduler_owe(OLD, due_at, clock_timestamp());
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION scheduler_note_owed_of_deleted() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    job scheduler_job%ROWTYPE;
    key text := coalesce(to_jsonb(OLD) ->> 'djangojob_ptr_id', to_jsonb(OLD) ->> 'id');
    due_at timestamptz;
BEGIN
    -- A claim that has locked it enters fire times: what is owed is known when that is over.
    SELECT parent.next_run_time INTO due_at FROM django_apscheduler_djangojob AS parent WHERE parent.id = key FOR UPDATE;
    SELECT * INTO job FROM scheduler_job AS candidate WHERE candidate.djangojob_ptr_id = key;
    IF FOUND THEN
        PERFORM scheduler_owe(job, least(due_at, job.interrupted_at), clock_timestamp());
    END IF;
    RETURN OLD;
END $$;

CREATE OR REPLACE FUNCTION scheduler_note_owed_since() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    due_at timestamptz;
BEGIN
    SELECT parent.next_run_time INTO due_at
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id = OLD.djangojob_ptr_id;
    PERFORM scheduler_owe(OLD, OLD.interrupted_at,
                          least(clock_timestamp(), due_at - interval '1 microsecond',
                                NEW.interrupted_at - interval '1 microsecond'));
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_note_owed_since
    AFTER UPDATE OF interrupted_at ON scheduler_job
    FOR EACH ROW WHEN (((old.interrupted_at IS NOT NULL) AND ((new.interrupted_at IS NULL) OR
        (new.interrupted_at > old.interrupted_at))))
    EXECUTE FUNCTION scheduler_note_owed_since();

UPDATE scheduler_job AS job
   SET interrupted_at = least(job.interrupted_at, owed.first), needs_inspection = true
  FROM django_apscheduler_djangojob AS parent
  JOIN (SELECT noted.job_key, min(noted.first) AS first FROM scheduler_owed AS noted GROUP BY 1) AS owed
    ON owed.job_key = parent.id
 WHERE job.djangojob_ptr_id = parent.id
   AND job.state = 'active'
   AND parent.next_run_time IS NULL;
"""

BACKWARD = """
DROP TRIGGER scheduler_note_owed_since ON scheduler_job;
DROP FUNCTION scheduler_note_owed_since();

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
            OR (NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('active', 'paused'));
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION scheduler_keep_history() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    due_at timestamptz;
BEGIN
    SELECT CASE OLD.state WHEN 'broken' THEN OLD.interrupted_at ELSE parent.next_run_time END
      INTO due_at
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id = OLD.djangojob_ptr_id;
    IF due_at <= clock_timestamp() THEN
        PERFORM scheduler_owe(OLD, due_at, clock_timestamp());
    END IF;
    -- Most jobs have no more runs than this. Those of the others are detached by nodes, a thousand at a time.
    UPDATE scheduler_run AS run
       SET job_id = NULL
     WHERE run.id = ANY(ARRAY(SELECT own.id
                                FROM scheduler_run AS own
                               WHERE own.job_id = OLD.djangojob_ptr_id
                               ORDER BY own.scheduled_at DESC, own.attempt DESC
                               LIMIT 2000
                                 FOR NO KEY UPDATE SKIP LOCKED));
    IF EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.job_id = OLD.djangojob_ptr_id) THEN
        INSERT INTO scheduler_removed (job_key) VALUES (OLD.djangojob_ptr_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION scheduler_owe(job scheduler_job, first timestamp with time zone, until timestamp with time zone) RETURNS void LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
    -- What an attempt covers already is accounted for.
    IF first <= until AND EXISTS (
        SELECT 1
          FROM scheduler_run AS run
         WHERE run.job_id = job.djangojob_ptr_id
           AND run.scheduled_at >= first
           AND coalesce(run.covers_from, run.scheduled_at) <= first
           AND run.attempt = 1)
    THEN
        RETURN;
    END IF;
    -- It was noted already, by the trigger that the job had then.
    IF EXISTS (
        SELECT 1
          FROM scheduler_owed AS owed
         WHERE owed.job_key = job.djangojob_ptr_id
           AND owed.first = scheduler_owe.first)
    THEN
        RETURN;
    END IF;
    INSERT INTO scheduler_owed (job_key, job_name, task, executor, priority, trigger, first, until)
    VALUES (job.djangojob_ptr_id, job.name, job.task, job.executor, job.priority, job.trigger, first, until);
END $$;

CREATE OR REPLACE FUNCTION scheduler_note_owed() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    job scheduler_job%ROWTYPE;
    due_at timestamptz := OLD.next_run_time;
BEGIN
    SELECT * INTO job FROM scheduler_job AS candidate WHERE candidate.djangojob_ptr_id = OLD.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        -- The parent row goes first when somebody deletes with SQL: afterwards nobody knows when the job was due.
        IF job.state = 'broken' THEN
            due_at := job.interrupted_at;
        END IF;
        IF due_at <= clock_timestamp() THEN
            PERFORM scheduler_owe(job, due_at, clock_timestamp());
        END IF;
    ELSIF NEW.next_run_time IS NULL THEN
        -- Also one that is not due yet: if nothing else has been said of the job, a node puts it back into the schedule.
        PERFORM scheduler_owe(job, due_at, clock_timestamp());
    ELSIF due_at <= clock_timestamp() THEN
        PERFORM scheduler_owe(job, due_at, least(clock_timestamp(), NEW.next_run_time - interval '1 microsecond'));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION scheduler_note_other_trigger() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    due_at timestamptz;
BEGIN
    SELECT parent.next_run_time INTO due_at
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id = OLD.djangojob_ptr_id;
    IF OLD.state = 'active' AND due_at <= clock_timestamp() THEN
        PERFORM scheduler_owe(OLD, due_at, clock_timestamp());
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION scheduler_note_owed_of_deleted() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    job scheduler_job%ROWTYPE;
    key text := coalesce(to_jsonb(OLD) ->> 'djangojob_ptr_id', to_jsonb(OLD) ->> 'id');
    due_at timestamptz;
BEGIN
    SELECT * INTO job FROM scheduler_job AS candidate WHERE candidate.djangojob_ptr_id = key;
    SELECT CASE job.state WHEN 'broken' THEN job.interrupted_at ELSE parent.next_run_time END
      INTO due_at
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id = key;
    IF job.djangojob_ptr_id IS NOT NULL AND due_at <= clock_timestamp() THEN
        PERFORM scheduler_owe(job, due_at, clock_timestamp());
    END IF;
    RETURN OLD;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0034_reword_help_texts")]

    operations = [
        migrations.RunSQL(FORWARD + SEARCH_PATH, BACKWARD + SEARCH_PATH),
        migrations.AddIndex(
            "owedwindow",
            models.Index(fields=["job_key", "first"], name="scheduler_owed_of_job"),
        ),
    ]
