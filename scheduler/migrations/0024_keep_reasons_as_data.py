"""
Give reasons a code and parameters, beside the text of the release before.

Nodes and web processes of that release go on beside new ones: they know nothing of the new columns, which have defaults,
and write English text as before. ``manage.py convert_reasons`` turns such rows into codes, in batches.
"""

from django.db import migrations, models
from django.db.models import Q

FORWARD = """
CREATE OR REPLACE FUNCTION scheduler_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- What whoever writes has said of itself, see store/changes.py. Nothing: it wrote past the services.
    said jsonb := nullif(nullif(current_setting('scheduler.change', true), ''), 'none')::jsonb;
    -- Everything else is part of the definition, columns of later migrations included.
    noted_elsewhere CONSTANT text[] := ARRAY[
        'djangojob_ptr_id', 'version', 'state_reason', 'reason_code', 'reason_params', 'state_changed_at',
        'state_changed_by', 'created_at', 'created_by', 'updated_at', 'updated_by', 'needs_inspection',
        'needs_rescheduling', 'interrupted_at', 'consecutive_failures'];
    current_row scheduler_job%ROWTYPE;
    definition jsonb;
    differences jsonb := '{}';
    has_state_reason boolean := false;
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
            has_state_reason := true;
            what := CASE
                WHEN NEW.state IN ('paused', 'broken', 'finished') THEN NEW.state
                WHEN OLD.state = 'paused' THEN 'resumed'
                WHEN OLD.state = 'broken' THEN 'healed'
                ELSE what END;
        ELSIF NEW.state = 'broken' AND differences = '{}'
              AND (NEW.state_reason, NEW.reason_code, NEW.reason_params)
                  IS DISTINCT FROM (OLD.state_reason, OLD.reason_code, OLD.reason_params) THEN
            has_state_reason := true;
            what := 'broken';
        END IF;
        differences := differences || coalesce(said -> 'also', '{}');
        IF differences = '{}' AND what <> 'broken' THEN
            RETURN NULL;
        END IF;
    END IF;
    -- Whoever writes may have given a reason; otherwise it is that of the new state.
    has_state_reason := has_state_reason AND coalesce(said ->> 'reason', '') = '' AND NOT coalesce(said ? 'reason_code', false);
    INSERT INTO scheduler_change
           (job_key, job_name, version, action, actor, via, reason, reason_code, reason_params, restored_version,
            changes, definition, changed_at)
    VALUES (current_row.djangojob_ptr_id, current_row.name, current_row.version, coalesce(said ->> 'action', what),
            CASE WHEN said IS NULL THEN session_user::text ELSE coalesce(said ->> 'actor', '') END,
            coalesce(said ->> 'via', 'database'),
            CASE WHEN has_state_reason THEN NEW.state_reason ELSE coalesce(said ->> 'reason', '') END,
            CASE WHEN has_state_reason THEN NEW.reason_code ELSE coalesce(said ->> 'reason_code', '') END,
            CASE WHEN has_state_reason THEN NEW.reason_params ELSE nullif(said -> 'reason_params', 'null') END,
            (said ->> 'restored_version')::int, differences, definition, now());
    RETURN NULL;
END $$;
"""

BACKWARD = """
CREATE OR REPLACE FUNCTION scheduler_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


def _reason(model: str, *, column: str, **options: str) -> list:
    """The text keeps its column and gets another name; code and parameters are added."""
    former = models.TextField(db_column=column, blank=True, default="", verbose_name="reason", **options)
    rename = [
        migrations.RenameField(model, column, "reason_text"),
        migrations.AlterField(model, "reason_text", former),
    ]
    return [
        migrations.SeparateDatabaseAndState(state_operations=rename),
        migrations.AddField(
            model,
            "reason_code",
            models.CharField(blank=True, db_default="", default="", max_length=64, verbose_name="reason code"),
        ),
        migrations.AddField(
            model, "reason_params", models.JSONField(blank=True, null=True, verbose_name="reason parameters")
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("scheduler", "0023_account_for_every_writer"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveIndex("run", name="scheduler_run_with_a_reason")]
        ),
        *_reason("run", column="reason", help_text="As earlier releases wrote it."),
        *_reason("node", column="reason", help_text="As earlier releases wrote it."),
        *_reason("change", column="reason", db_default=""),
        *_reason("job", column="state_reason", db_default=""),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    "run",
                    models.Index(
                        models.F("id").desc(),
                        condition=Q(finished_at__isnull=False) & ~Q(reason_text=""),
                        name="scheduler_run_with_a_reason",
                    ),
                )
            ]
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
