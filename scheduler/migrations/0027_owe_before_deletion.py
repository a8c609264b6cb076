"""Note what a job owes before it is deleted: afterwards one of its two rows may be gone already."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION scheduler_note_owed_of_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
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

DROP TRIGGER scheduler_note_owed_of_deleted ON django_apscheduler_djangojob;
CREATE TRIGGER scheduler_note_owed_of_deleted BEFORE DELETE ON django_apscheduler_djangojob
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_owed_of_deleted();
CREATE TRIGGER scheduler_note_owed_of_deleted BEFORE DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_owed_of_deleted();
"""

BACKWARD = """
DROP TRIGGER scheduler_note_owed_of_deleted ON scheduler_job;
DROP TRIGGER scheduler_note_owed_of_deleted ON django_apscheduler_djangojob;
CREATE TRIGGER scheduler_note_owed_of_deleted AFTER DELETE ON django_apscheduler_djangojob
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_owed();
DROP FUNCTION scheduler_note_owed_of_deleted();
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0026_count_interrupted_runs")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
