"""
Let the database itself notice fire times that nothing accounts for, and delete a job of any size at once.

Nodes of the release before enter rows before they move ``next_run_time``: the trigger finds these and notes nothing.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION scheduler_owe(job scheduler_job, first timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
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

CREATE FUNCTION scheduler_note_owed() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- A claim says that it accounts for what it moves past: it has written the rows in the same transaction.
CREATE TRIGGER scheduler_note_owed AFTER UPDATE OF next_run_time ON django_apscheduler_djangojob
    FOR EACH ROW
    WHEN (OLD.next_run_time IS NOT NULL
          AND (NEW.next_run_time IS NULL OR NEW.next_run_time > OLD.next_run_time)
          AND current_setting('scheduler.accounts', true) IS DISTINCT FROM 'claim')
    EXECUTE FUNCTION scheduler_note_owed();

CREATE TRIGGER scheduler_note_owed_of_deleted AFTER DELETE ON django_apscheduler_djangojob
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_owed();

CREATE FUNCTION scheduler_note_other_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- What is due by the former trigger when SQL writes another one.
CREATE TRIGGER scheduler_note_other_trigger AFTER UPDATE OF trigger ON scheduler_job
    FOR EACH ROW WHEN (NEW.trigger IS DISTINCT FROM OLD.trigger)
    EXECUTE FUNCTION scheduler_note_other_trigger();

CREATE OR REPLACE FUNCTION scheduler_keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE FUNCTION scheduler_begin_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM scheduler_removed AS removed WHERE removed.job_key = NEW.djangojob_ptr_id) THEN
        RETURN NEW;
    END IF;
    UPDATE scheduler_run AS run
       SET job_id = NULL
     WHERE run.id = ANY(ARRAY(SELECT former.id
                                FROM scheduler_run AS former
                               WHERE former.job_id = NEW.djangojob_ptr_id
                               LIMIT 20000
                                 FOR NO KEY UPDATE SKIP LOCKED));
    IF EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.job_id = NEW.djangojob_ptr_id) THEN
        RAISE EXCEPTION 'The runs of the former job % are still being put aside. Try again in a minute.',
              NEW.djangojob_ptr_id USING ERRCODE = 'object_in_use';
    END IF;
    DELETE FROM scheduler_removed AS removed WHERE removed.job_key = NEW.djangojob_ptr_id;
    RETURN NEW;
END $$;

-- Runs of a former job must not be taken for those of a new one with its id.
CREATE TRIGGER scheduler_begin_anew BEFORE INSERT ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_begin_anew();
"""

BACKWARD = """
DROP TRIGGER scheduler_begin_anew ON scheduler_job;
DROP FUNCTION scheduler_begin_anew();
UPDATE scheduler_run AS run SET job_id = NULL
 WHERE run.job_id IN (SELECT removed.job_key FROM scheduler_removed AS removed);
CREATE OR REPLACE FUNCTION scheduler_keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE scheduler_run SET job_id = NULL WHERE job_id = OLD.djangojob_ptr_id;
    RETURN NULL;
END $$;
DROP TRIGGER scheduler_note_other_trigger ON scheduler_job;
DROP FUNCTION scheduler_note_other_trigger();
DROP TRIGGER scheduler_note_owed_of_deleted ON django_apscheduler_djangojob;
DROP TRIGGER scheduler_note_owed ON django_apscheduler_djangojob;
DROP FUNCTION scheduler_note_owed();
DROP FUNCTION scheduler_owe(scheduler_job, timestamptz, timestamptz);
"""

CREATED_AT = models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="created at")


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0022_read_no_past_of_queues")]

    operations = [
        migrations.CreateModel(
            name="OwedWindow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job_key", models.CharField(max_length=255, verbose_name="job id")),
                ("job_name", models.CharField(max_length=255, verbose_name="job name")),
                ("task", models.CharField(max_length=255, verbose_name="task")),
                ("executor", models.CharField(max_length=64, verbose_name="executor")),
                ("priority", models.SmallIntegerField(default=0, verbose_name="priority")),
                (
                    "trigger",
                    models.JSONField(
                        help_text="As it was: by it the fire times are computed.", verbose_name="trigger"
                    ),
                ),
                ("first", models.DateTimeField(help_text="The first fire time that is owed.", verbose_name="first")),
                (
                    "until",
                    models.DateTimeField(help_text="The last instant that is owed, included.", verbose_name="until"),
                ),
                ("created_at", CREATED_AT),
            ],
            options={
                "verbose_name": "owed window",
                "verbose_name_plural": "owed windows",
                "db_table": "scheduler_owed",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RemovedJob",
            fields=[
                (
                    "job_key",
                    models.CharField(max_length=255, primary_key=True, serialize=False, verbose_name="job id"),
                ),
                (
                    "removed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="removed at"
                    ),
                ),
            ],
            options={
                "verbose_name": "removed job",
                "verbose_name_plural": "removed jobs",
                "db_table": "scheduler_removed",
                "default_permissions": (),
            },
        ),
        migrations.AlterField(
            model_name="run",
            name="job",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Empty once the job was deleted: its id and name stay below.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="runs",
                to="scheduler.job",
                verbose_name="job",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
