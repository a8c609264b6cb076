"""
Count within the bounds of the column how often the subject of an incident failed.

A count that had reached them refused the outcome of the next failure. Nodes of the release before notice nothing.
"""

from django.db import migrations

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
       SET count = least(incident.count::bigint + grown, 2147483647),
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

COUNTED_FREELY = OPEN_INCIDENTS.replace("least(incident.count::bigint + grown, 2147483647)", "incident.count + grown")


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0060_count_runs_by_queue")]

    operations = [migrations.RunSQL(OPEN_INCIDENTS, COUNTED_FREELY)]
