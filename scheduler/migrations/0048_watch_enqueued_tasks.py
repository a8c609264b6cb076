"""
Count failures in a row of enqueued tasks, and judge them by the alert rules, whose scope may be a queue.

A node of the release before neither counts nor ends them: an incident that it could have closed stays open until a
success that another node records. The longer type of ``subject`` rewrites no row.
"""

from django.db import migrations, models

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

WATCHES = """
CREATE OR REPLACE FUNCTION scheduler_rule_watches(rule scheduler_rule, job_id text, task text, tags text[], queue text) RETURNS boolean LANGUAGE sql
 IMMUTABLE
AS $$
    SELECT CASE rule.scope
           WHEN 'everything' THEN true
           WHEN 'job' THEN rule.target = job_id
           WHEN 'task' THEN rule.target = task
           WHEN 'queue' THEN rule.target = queue
           WHEN 'tag' THEN rule.target = ANY(tags)
           ELSE false END
$$;
"""

OPEN_INCIDENTS = """
CREATE OR REPLACE FUNCTION scheduler_open_incidents(job scheduler_job, watched text, measure double precision, grown integer, about_run bigint, what text, kinds text[], known jsonb) RETURNS void LANGUAGE sql
AS $$
    INSERT INTO scheduler_incident AS incident (
           rule_id, rule_name, kind, severity, subject, job_key, job_name, opened_at, last_at, count, measured, text,
           facts, run, error_kinds)
    SELECT rule.id, rule.name, rule.kind, rule.severity,
           -- The row of an enqueued task has a slash before its name in place of an id.
           CASE WHEN starts_with(job.djangojob_ptr_id, '/') THEN 'task:' || job.queue || job.djangojob_ptr_id
                ELSE 'job:' || job.djangojob_ptr_id END,
           job.djangojob_ptr_id, job.name, now(), now(), greatest(measure, 1), measure, what, known, about_run, kinds
      FROM scheduler_rule AS rule
     WHERE rule.enabled
       AND rule.kind = watched
       AND coalesce(rule.threshold, 0) <= measure
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[], job.queue)
     ORDER BY rule.id
        ON CONFLICT (rule_id, subject) WHERE closed_at IS NULL DO UPDATE
       SET count = incident.count + grown,
           last_at = greatest(incident.last_at, now()),
           measured = excluded.measured,
           text = excluded.text,
           facts = excluded.facts,
           run = coalesce(excluded.run, incident.run),
           changed_at = CASE WHEN incident.error_kinds @> excluded.error_kinds OR cardinality(incident.error_kinds) >= 20
                             THEN incident.changed_at
                             ELSE coalesce(incident.changed_at, now()) END,
           error_kinds = CASE WHEN incident.error_kinds @> excluded.error_kinds
                                OR cardinality(incident.error_kinds) >= 20
                              THEN incident.error_kinds
                              ELSE incident.error_kinds || excluded.error_kinds END
$$;
"""

JUDGE = """
CREATE OR REPLACE FUNCTION scheduler_judge_task() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    subject scheduler_job;
    what text := '';
    kinds text[] := '{}';
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE scheduler_incident AS incident
           SET closed_at = greatest(now(), incident.opened_at), closed_because = 'recovered'
         WHERE incident.job_key = '/' || OLD.task
           AND incident.subject = 'task:' || OLD.queue || '/' || OLD.task
           AND incident.closed_at IS NULL
           AND incident.kind = 'failing';
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT
                 FROM scheduler_rule AS rule
                WHERE rule.enabled AND rule.kind = 'failing' AND rule.threshold <= NEW.failures) THEN
        SELECT left(split_part(run.error, E'\\n', 1), 500), ARRAY[scheduler_error_kind(run.error)]
          INTO what, kinds
          FROM scheduler_run AS run
         WHERE run.id = NEW.run
           AND run.error IS NOT NULL;
        subject.djangojob_ptr_id := '/' || NEW.task;
        subject.name := NEW.task;
        subject.task := NEW.task;
        subject.tags := '{}';
        subject.queue := NEW.queue;
        PERFORM scheduler_open_incidents(
            subject, 'failing', NEW.failures, NEW.failures - CASE TG_OP WHEN 'UPDATE' THEN OLD.failures ELSE 0 END,
            NEW.run, coalesce(what, ''), coalesce(kinds, '{}'), '{}');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_judge_task
    AFTER INSERT OR UPDATE OF failures ON scheduler_taskstreak
    FOR EACH ROW EXECUTE FUNCTION scheduler_judge_task();

CREATE TRIGGER scheduler_judge_success
    AFTER DELETE ON scheduler_taskstreak
    FOR EACH ROW EXECUTE FUNCTION scheduler_judge_task();
"""

BACKWARD = """
DROP TRIGGER scheduler_judge_task ON scheduler_taskstreak;
DROP TRIGGER scheduler_judge_success ON scheduler_taskstreak;
DROP FUNCTION scheduler_judge_task();

CREATE OR REPLACE FUNCTION scheduler_open_incidents(job scheduler_job, watched text, measure double precision, grown integer, about_run bigint, what text, kinds text[], known jsonb) RETURNS void LANGUAGE sql
AS $$
    INSERT INTO scheduler_incident AS incident (
           rule_id, rule_name, kind, severity, subject, job_key, job_name, opened_at, last_at, count, measured, text,
           facts, run, error_kinds)
    SELECT rule.id, rule.name, rule.kind, rule.severity, 'job:' || job.djangojob_ptr_id, job.djangojob_ptr_id,
           job.name, now(), now(), greatest(measure, 1), measure, what, known, about_run, kinds
      FROM scheduler_rule AS rule
     WHERE rule.enabled
       AND rule.kind = watched
       AND coalesce(rule.threshold, 0) <= measure
       AND scheduler_rule_watches(rule, job.djangojob_ptr_id, job.task, job.tags::text[])
     ORDER BY rule.id
        ON CONFLICT (rule_id, subject) WHERE closed_at IS NULL DO UPDATE
       SET count = incident.count + grown,
           last_at = greatest(incident.last_at, now()),
           measured = excluded.measured,
           text = excluded.text,
           facts = excluded.facts,
           run = coalesce(excluded.run, incident.run),
           changed_at = CASE WHEN incident.error_kinds @> excluded.error_kinds OR cardinality(incident.error_kinds) >= 20
                             THEN incident.changed_at
                             ELSE coalesce(incident.changed_at, now()) END,
           error_kinds = CASE WHEN incident.error_kinds @> excluded.error_kinds
                                OR cardinality(incident.error_kinds) >= 20
                              THEN incident.error_kinds
                              ELSE incident.error_kinds || excluded.error_kinds END
$$;

DROP FUNCTION scheduler_rule_watches(scheduler_rule, text, text, text[], text);
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0047_find_runs_to_ring")]

    operations = [
        migrations.CreateModel(
            name="TaskStreak",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("task", models.CharField(max_length=255, verbose_name="task")),
                ("queue", models.CharField(max_length=64, verbose_name="queue")),
                ("failures", models.PositiveIntegerField(verbose_name="failures in a row")),
                ("failed_at", models.DateTimeField(help_text="When the latest of them ended.", verbose_name="failed at")),
                ("run", models.BigIntegerField(help_text="The latest of them.", verbose_name="run")),
            ],
            options={
                "verbose_name": "failures of a task",
                "verbose_name_plural": "failures of tasks",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("task", "queue"), name="scheduler_taskstreak_one_of_task_and_queue")
                ],
            },
        ),
        migrations.AlterField(
            model_name="incident",
            name="subject",
            field=models.CharField(
                help_text="“job:” and its id, “task:” with a queue and a task, or “system:” and a check.",
                max_length=330,
                verbose_name="subject",
            ),
        ),
        migrations.AlterField(
            model_name="rule",
            name="scope",
            field=models.CharField(
                choices=[
                    ("everything", "everything"),
                    ("tag", "tag"),
                    ("task", "task"),
                    ("queue", "queue"),
                    ("job", "job"),
                ],
                default="everything",
                max_length=16,
                verbose_name="watches",
            ),
        ),
        migrations.RunSQL(WATCHES + OPEN_INCIDENTS + JUDGE + SEARCH_PATH, BACKWARD + SEARCH_PATH),
    ]
