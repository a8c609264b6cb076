"""Wake the nodes for changes of definitions, not for the count of failures that recording keeps."""

from django.db import migrations

FORWARD = """
DROP TRIGGER scheduler_notify_jobs ON scheduler_job;
CREATE TRIGGER scheduler_notify_jobs
    AFTER INSERT OR DELETE OR UPDATE OF task, args, kwargs, trigger, state, executor, priority, coalesce,
          max_instances, misfire_grace_time, overlap, needs_inspection, version ON scheduler_job
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_notify_jobs();
"""

BACKWARD = """
DROP TRIGGER scheduler_notify_jobs ON scheduler_job;
CREATE TRIGGER scheduler_notify_jobs AFTER INSERT OR DELETE OR UPDATE ON scheduler_job
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_notify_jobs();
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0003_govern_runs")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
