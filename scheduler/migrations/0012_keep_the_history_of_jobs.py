"""Let the database itself keep the history of jobs, so that no way of writing them leaves it out."""

import django.db.models.functions.datetime
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION scheduler_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- What whoever writes has said of itself, see store/changes.py. Nothing: it wrote past the services.
    said jsonb := nullif(nullif(current_setting('scheduler.change', true), ''), 'none')::jsonb;
    -- Everything else is part of the definition, columns of later migrations included.
    noted_elsewhere CONSTANT text[] := ARRAY[
        'djangojob_ptr_id', 'version', 'state_reason', 'state_changed_at', 'state_changed_by', 'created_at',
        'created_by', 'updated_at', 'updated_by', 'needs_inspection', 'needs_rescheduling', 'interrupted_at',
        'consecutive_failures'];
    current_row scheduler_job%ROWTYPE;
    definition jsonb;
    differences jsonb := '{}';
    reason text := '';
    what text;
BEGIN
    IF TG_OP = 'DELETE' THEN current_row := OLD; ELSE current_row := NEW; END IF;
    IF said ? 'job' THEN
        IF said ->> 'job' = current_row.djangojob_ptr_id THEN
            -- It was said of one write, not of the rest of the transaction.
            PERFORM set_config('scheduler.change', '', true);
        ELSE
            said := NULL;
        END IF;
    END IF;
    definition := to_jsonb(current_row) - noted_elsewhere;
    what := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'DELETE' THEN 'deleted' ELSE 'edited' END;
    IF TG_OP = 'UPDATE' THEN
        SELECT coalesce(jsonb_object_agg(fresh.key, jsonb_build_array(former.value, fresh.value)), '{}')
          INTO differences
          FROM jsonb_each(definition) AS fresh
          JOIN jsonb_each(to_jsonb(OLD) - noted_elsewhere) AS former ON former.key = fresh.key
         WHERE fresh.value IS DISTINCT FROM former.value;
        IF NEW.state <> OLD.state THEN
            reason := NEW.state_reason;
            what := CASE
                WHEN NEW.state IN ('paused', 'broken', 'finished') THEN NEW.state
                WHEN OLD.state = 'paused' THEN 'resumed'
                WHEN OLD.state = 'broken' THEN 'healed'
                ELSE what END;
        ELSIF NEW.state = 'broken' AND NEW.state_reason <> OLD.state_reason AND differences = '{}' THEN
            reason := NEW.state_reason;
            what := 'broken';
        END IF;
        differences := differences || coalesce(said -> 'also', '{}');
        IF differences = '{}' AND what <> 'broken' THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO scheduler_change
           (job_key, job_name, version, action, actor, via, reason, restored_version, changes, definition, changed_at)
    VALUES (current_row.djangojob_ptr_id, current_row.name, current_row.version, coalesce(said ->> 'action', what),
            CASE WHEN said IS NULL THEN session_user::text ELSE coalesce(said ->> 'actor', '') END,
            coalesce(said ->> 'via', 'database'), coalesce(nullif(said ->> 'reason', ''), reason),
            (said ->> 'restored_version')::int, differences, definition, now());
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_note_existence AFTER INSERT OR DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_change();

-- Not for the count of failures that recording keeps, nor for claims: those write the other table, and a job that has
-- no further fire time is no change that somebody made.
CREATE TRIGGER scheduler_note_change
    AFTER UPDATE OF version, name, tags, description, task, args, kwargs, trigger, executor, priority, coalesce,
          max_instances, misfire_grace_time, rerun_if_interrupted, overlap, timeout, max_retries, retry_delay,
          retry_backoff, retry_delay_cap, retry_jitter, pause_after_failures, state, state_reason, source, paused_until
    ON scheduler_job
    FOR EACH ROW
    WHEN (current_setting('scheduler.change', true) IS DISTINCT FROM 'none')
    EXECUTE FUNCTION scheduler_note_change();

CREATE FUNCTION scheduler_refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The history of jobs is never changed.' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER scheduler_refuse_rewriting BEFORE UPDATE ON scheduler_change
    FOR EACH ROW EXECUTE FUNCTION scheduler_refuse_rewriting();

-- Where the history begins: the first change of a job that exists already can be taken back as well.
INSERT INTO scheduler_change (job_key, job_name, version, action, actor, via, changes, definition)
SELECT job.djangojob_ptr_id, job.name, job.version, 'initial', '', 'scheduler', '{}',
       to_jsonb(job) - ARRAY[
        'djangojob_ptr_id', 'version', 'state_reason', 'state_changed_at', 'state_changed_by', 'created_at',
        'created_by', 'updated_at', 'updated_by', 'needs_inspection', 'needs_rescheduling', 'interrupted_at',
        'consecutive_failures']
  FROM scheduler_job AS job
 ORDER BY job.djangojob_ptr_id;
"""

BACKWARD = """
DROP TRIGGER scheduler_refuse_rewriting ON scheduler_change;
DROP FUNCTION scheduler_refuse_rewriting();
DROP TRIGGER scheduler_note_change ON scheduler_job;
DROP TRIGGER scheduler_note_existence ON scheduler_job;
DROP FUNCTION scheduler_note_change();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0011_end_pauses'),
    ]

    operations = [
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job_key', models.CharField(max_length=255, verbose_name='job id')),
                ('job_name', models.CharField(max_length=255, verbose_name='job')),
                ('version', models.PositiveIntegerField(help_text='Of the job, after the change.', verbose_name='version')),
                ('action', models.CharField(choices=[('created', 'created'), ('edited', 'edited'), ('paused', 'paused'), ('resumed', 'resumed'), ('deleted', 'deleted'), ('adopted', 'adopted'), ('restored', 'restored'), ('broken', 'broken'), ('healed', 'healed'), ('finished', 'finished'), ('initial', 'initial')], max_length=16, verbose_name='action')),
                ('actor', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='who')),
                ('via', models.CharField(choices=[('admin', 'admin'), ('api', 'api'), ('command', 'command'), ('code', 'code'), ('scheduler', 'scheduler'), ('database', 'database')], max_length=16, verbose_name='via')),
                ('reason', models.TextField(blank=True, db_default='', default='', verbose_name='reason')),
                ('restored_version', models.PositiveIntegerField(blank=True, null=True, verbose_name='restored version')),
                ('changes', models.JSONField(default=dict, help_text='Old and new value by field. Secrets are sealed as in the job.', verbose_name='changes')),
                ('definition', models.JSONField(help_text="The job's definition after the change; of a deleted job, its last one.", verbose_name='definition')),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'change',
                'verbose_name_plural': 'changes',
                'ordering': ('-id',),
                'default_permissions': (),
                'indexes': [models.Index(fields=['job_key', '-id'], name='scheduler_change_of_job')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
