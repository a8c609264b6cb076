"""
Let only rows that the same transaction wrote excuse a job from what it owes.

A claim of the release before writes rows and moves the job without saying so. A row of earlier covers the first fire
time of a window after ``next_run_time`` was moved backward, and says nothing of those that follow.
"""

from django.db import migrations

OWE = """
CREATE OR REPLACE FUNCTION scheduler_owe(job scheduler_job, first timestamp with time zone, until timestamp with time zone) RETURNS void LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
    IF first IS NULL OR first > until THEN
        RETURN;
    END IF;
    -- {comment}
    IF EXISTS (
        SELECT 1
          FROM scheduler_run AS run
         WHERE run.job_id = job.djangojob_ptr_id
           AND run.scheduled_at >= first
           AND coalesce(run.covers_from, run.scheduled_at) <= first
           AND run.attempt = 1{condition})
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
"""

FORWARD = OWE.format(
    comment="Whoever moves a job and has written the rows for it in the same transaction owes nothing.",
    condition="\n           AND age(run.xmin) <= age(pg_current_xact_id()::xid)",
)
BACKWARD = OWE.format(comment="What an attempt covers already is accounted for.", condition="")


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0039_declare_templates_and_rules")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
