"""
Note the jobs that one statement creates in one statement, and describe what they have in common once.

The rows are the same. Nodes of the release before notice nothing.
"""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION scheduler_note_creation() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    -- The author that the writer has named, as in scheduler_note_change.
    said jsonb := nullif(nullif(current_setting('scheduler.change', true), ''), 'none')::jsonb;
    -- Everything else is part of the definition, columns of later migrations included.
    noted_elsewhere CONSTANT text[] := ARRAY[
        'djangojob_ptr_id', 'version', 'state_reason', 'reason_code', 'reason_params', 'state_changed_at',
        'state_changed_by', 'created_at', 'created_by', 'updated_at', 'updated_by', 'needs_inspection',
        'needs_rescheduling', 'interrupted_at', 'consecutive_failures'];
    common jsonb;
    comparisons text;
    own text;
BEGIN
    -- Jobs that are created together are mostly equal: the first is described as a whole, and of the others what differs.
    SELECT to_jsonb(first) - noted_elsewhere INTO common FROM (SELECT * FROM fresh LIMIT 1) AS first;
    IF common IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT string_agg(format('CASE WHEN bool_or(fresh.%1$I IS DISTINCT FROM first.%1$I) THEN %2$L END',
                             attribute.attname, format('%1$L, fresh.%1$I', attribute.attname)), ', ')
      INTO comparisons
      FROM pg_attribute AS attribute
     WHERE attribute.attrelid = TG_RELID
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
       AND attribute.attname <> ALL(noted_elsewhere);
    EXECUTE format('SELECT concat_ws('', '', %s) FROM fresh CROSS JOIN (SELECT * FROM fresh LIMIT 1) AS first', comparisons)
       INTO own;
    EXECUTE format($statement$
        INSERT INTO scheduler_change
               (job_key, job_name, version, action, actor, via, reason, reason_code, reason_params, restored_version,
                changes, definition, changed_at)
        SELECT fresh.djangojob_ptr_id, fresh.name, fresh.version, coalesce(known.said ->> 'action', 'created'),
               CASE WHEN known.said IS NULL THEN session_user::text ELSE coalesce(known.said ->> 'actor', '') END,
               coalesce(known.said ->> 'via', 'database'), coalesce(known.said ->> 'reason', ''),
               coalesce(known.said ->> 'reason_code', ''), nullif(known.said -> 'reason_params', 'null'),
               (known.said ->> 'restored_version')::int, '{}', $2 || jsonb_build_object(%s), now()
          FROM fresh
         CROSS JOIN LATERAL (
               SELECT CASE WHEN $1 ->> 'job' <> fresh.djangojob_ptr_id THEN NULL ELSE $1 END) AS known (said)
        $statement$, own) USING said, common;
    IF EXISTS (SELECT 1 FROM fresh WHERE fresh.djangojob_ptr_id = said ->> 'job') THEN
        -- It was said of one write, not of the rest of the transaction.
        PERFORM set_config('scheduler.change', '', true);
    END IF;
    RETURN NULL;
END $$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION scheduler_note_creation() SET search_path TO %I, pg_temp', current_schema());
END
$$;
"""

NOTED_TOGETHER = """
DROP TRIGGER scheduler_note_existence ON scheduler_job;

CREATE TRIGGER scheduler_note_existence
    AFTER DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_change();

CREATE TRIGGER scheduler_note_creation
    AFTER INSERT ON scheduler_job
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_note_creation();
"""

NOTED_ONE_BY_ONE = """
DROP TRIGGER scheduler_note_creation ON scheduler_job;
DROP TRIGGER scheduler_note_existence ON scheduler_job;

CREATE TRIGGER scheduler_note_existence
    AFTER INSERT OR DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_change();
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0061_count_incidents_within_bounds")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION scheduler_note_creation()"),
        migrations.RunSQL(NOTED_TOGETHER, NOTED_ONE_BY_ONE),
    ]
