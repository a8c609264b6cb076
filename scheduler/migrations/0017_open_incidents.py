"""Let the database open, count and close incidents of jobs, in the statement that changes the job."""

from django.db import migrations

FORWARD = """
-- Whether a rule watches a job.
CREATE FUNCTION scheduler_rule_watches(rule scheduler_rule, job_id text, task text, tags text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE rule.scope
           WHEN 'everything' THEN true
           WHEN 'job' THEN rule.target = job_id
           WHEN 'task' THEN rule.target = task
           WHEN 'tag' THEN rule.target = ANY(tags)
           ELSE false END
$$;

-- What an error is about: its first line without numbers, hexadecimal ids and quoted values.
CREATE FUNCTION scheduler_error_kind(error text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT left(regexp_replace(split_part(error, E'\\n', 1),
                               '''[^'']*''|"[^"]*"|“[^”]*”|\\m[0-9a-f]{8,}(-[0-9a-f]+)*\\M|[0-9]+', '#', 'g'), 200)
$$;

-- Open incidents of a kind for a job, or count those that are open.
CREATE FUNCTION scheduler_open_incidents(
    job scheduler_job, watched text, measure float8, grown int, about_run bigint, what text, kinds text[], known jsonb)
RETURNS void LANGUAGE sql AS $$
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

CREATE FUNCTION scheduler_judge_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- What whoever writes has said of itself, see store/changes.py.
    said jsonb := nullif(nullif(current_setting('scheduler.change', true), ''), 'none')::jsonb;
    is_by_the_scheduler boolean;
    because text;
    about_run bigint;
    what text := '';
    kinds text[] := '{}';
BEGIN
    IF said ? 'job' AND said ->> 'job' <> OLD.djangojob_ptr_id THEN
        said := NULL;
    END IF;
    is_by_the_scheduler := coalesce(said ->> 'via', '') = 'scheduler';
    IF TG_OP = 'DELETE' THEN
        because := 'deleted';
    ELSIF NEW.state <> OLD.state AND NEW.state = 'paused' AND NOT is_by_the_scheduler THEN
        because := 'paused';  -- one that the scheduler pauses because it fails is still failing
    ELSIF OLD.state = 'paused' AND NEW.state <> 'paused' THEN
        because := 'resumed';
    ELSIF NOT is_by_the_scheduler
          AND (NEW.task, NEW.args, NEW.kwargs, NEW.trigger, NEW.timeout)
              IS DISTINCT FROM (OLD.task, OLD.args, OLD.kwargs, OLD.trigger, OLD.timeout) THEN
        because := 'edited';
    END IF;
    IF because IS NOT NULL THEN
        UPDATE scheduler_incident AS incident
           SET closed_at = greatest(now(), incident.opened_at), closed_because = because,
               closed_by = coalesce(said ->> 'actor', '')
         WHERE incident.job_key = OLD.djangojob_ptr_id
           AND incident.closed_at IS NULL
           AND (because = 'deleted' OR NEW.state <> 'broken' OR incident.kind <> 'broken')
           AND (because <> 'edited' OR incident.kind <> 'broken');
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    IF OLD.state = 'broken' AND NEW.state <> 'broken' OR NEW.consecutive_failures = 0 AND OLD.consecutive_failures > 0 THEN
        UPDATE scheduler_incident AS incident
           SET closed_at = greatest(now(), incident.opened_at), closed_because = 'recovered',
               closed_by = coalesce(said ->> 'actor', '')
         WHERE incident.job_key = OLD.djangojob_ptr_id
           AND incident.closed_at IS NULL
           AND (incident.kind = 'broken' AND NEW.state <> 'broken'
                OR incident.kind = 'failing' AND NEW.consecutive_failures = 0);
    END IF;
    IF NEW.state = 'broken' AND OLD.state <> 'broken' THEN
        PERFORM scheduler_open_incidents(
            NEW, 'broken', 1, 1, NULL, '', '{}',
            jsonb_strip_nulls(jsonb_build_object('state_reason', to_jsonb(NEW) -> 'state_reason',
                                                 'reason_code', to_jsonb(NEW) -> 'reason_code',
                                                 'reason_params', to_jsonb(NEW) -> 'reason_params')));
    END IF;
    IF NEW.consecutive_failures > OLD.consecutive_failures THEN
        IF EXISTS (SELECT
                     FROM scheduler_rule AS rule
                    WHERE rule.enabled AND rule.kind = 'failing' AND rule.threshold <= NEW.consecutive_failures) THEN
            SELECT run.id, left(split_part(run.error, E'\\n', 1), 500), ARRAY[scheduler_error_kind(run.error)]
              INTO about_run, what, kinds
              FROM scheduler_run AS run
             WHERE run.job_id = NEW.djangojob_ptr_id
               AND run.error IS NOT NULL
             ORDER BY run.scheduled_at DESC, run.attempt DESC
             LIMIT 1;
            PERFORM scheduler_open_incidents(
                NEW, 'failing', NEW.consecutive_failures, NEW.consecutive_failures - OLD.consecutive_failures,
                about_run, coalesce(what, ''), coalesce(kinds, '{}'), '{}');
        END IF;
    END IF;
    RETURN NULL;
END $$;

-- The name sorts before scheduler_note_change, which forgets who said that they make the change.
CREATE TRIGGER scheduler_judge_job
    AFTER UPDATE OF consecutive_failures, state, task, args, kwargs, trigger, timeout ON scheduler_job
    FOR EACH ROW
    WHEN (OLD.consecutive_failures IS DISTINCT FROM NEW.consecutive_failures OR OLD.state IS DISTINCT FROM NEW.state
          OR OLD.task IS DISTINCT FROM NEW.task OR OLD.args IS DISTINCT FROM NEW.args
          OR OLD.kwargs IS DISTINCT FROM NEW.kwargs OR OLD.trigger IS DISTINCT FROM NEW.trigger
          OR OLD.timeout IS DISTINCT FROM NEW.timeout)
    EXECUTE FUNCTION scheduler_judge_job();

CREATE TRIGGER scheduler_judge_deletion AFTER DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_judge_job();
"""

BACKWARD = """
DROP TRIGGER scheduler_judge_deletion ON scheduler_job;
DROP TRIGGER scheduler_judge_job ON scheduler_job;
DROP FUNCTION scheduler_judge_job();
DROP FUNCTION scheduler_open_incidents(scheduler_job, text, float8, int, bigint, text, text[], jsonb);
DROP FUNCTION scheduler_error_kind(text);
DROP FUNCTION scheduler_rule_watches(scheduler_rule, text, text, text[]);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0016_alert_people'),
    ]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
