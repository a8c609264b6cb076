"""Let interrupted runs count as failures, and let no success be forgotten because its node died."""

from django.db import migrations

FORWARD = """
-- The failures of a job since its last success, as far back as 100 fire times: final ones, of every kind. What ended
-- before the job was resumed does not count.
CREATE FUNCTION scheduler_failures_in_a_row(
    of_job text, OUT failures int, OUT has_success boolean, OUT succeeded_at timestamptz)
LANGUAGE sql STABLE AS $$
    WITH latest AS MATERIALIZED (
        SELECT run.state, run.finished_at
          FROM scheduler_run AS run
         WHERE run.job_id = of_job
           AND run.state IN ('succeeded', 'failed', 'timed_out', 'interrupted')
           AND run.finished_at > coalesce((SELECT job.state_changed_at
                                             FROM scheduler_job AS job
                                            WHERE job.djangojob_ptr_id = of_job AND job.state = 'active'), '-infinity')
           AND NOT EXISTS (SELECT 1
                             FROM scheduler_run AS later
                            WHERE later.job_id = run.job_id
                              AND later.scheduled_at = run.scheduled_at
                              AND later.attempt > run.attempt)
         ORDER BY run.scheduled_at DESC, run.attempt DESC
         LIMIT 100
    ), success AS (
        SELECT max(latest.finished_at) AS at FROM latest WHERE latest.state = 'succeeded'
    )
    SELECT (count(*) FILTER (WHERE latest.state <> 'succeeded'
                               AND latest.finished_at > coalesce(success.at, '-infinity')))::int,
           success.at IS NOT NULL, success.at
      FROM success
      LEFT JOIN latest ON true
     GROUP BY success.at
$$;

CREATE OR REPLACE FUNCTION scheduler_judge_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- What whoever writes has said of itself, see store/changes.py.
    said jsonb := nullif(nullif(current_setting('scheduler.change', true), ''), 'none')::jsonb;
    is_by_the_scheduler boolean;
    because text;
    about_run bigint;
    what text := '';
    kinds text[] := '{}';
    in_a_row record;
    measure float8;
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
            measure := NEW.consecutive_failures;
            in_a_row := scheduler_failures_in_a_row(NEW.djangojob_ptr_id);
            IF in_a_row.has_success AND in_a_row.failures < measure THEN
                -- A node died after it had recorded a success and before it could end the count.
                measure := in_a_row.failures;
                UPDATE scheduler_incident AS incident
                   SET closed_at = greatest(now(), incident.opened_at), closed_because = 'recovered'
                 WHERE incident.job_key = NEW.djangojob_ptr_id
                   AND incident.closed_at IS NULL
                   AND incident.kind = 'failing'
                   AND incident.last_at < in_a_row.succeeded_at;
            END IF;
            SELECT run.id, left(split_part(run.error, E'\\n', 1), 500), ARRAY[scheduler_error_kind(run.error)]
              INTO about_run, what, kinds
              FROM scheduler_run AS run
             WHERE run.job_id = NEW.djangojob_ptr_id
               AND run.error IS NOT NULL
             ORDER BY run.scheduled_at DESC, run.attempt DESC
             LIMIT 1;
            PERFORM scheduler_open_incidents(
                NEW, 'failing', measure, NEW.consecutive_failures - OLD.consecutive_failures,
                about_run, coalesce(what, ''), coalesce(kinds, '{}'), '{}');
        END IF;
    END IF;
    RETURN NULL;
END $$;

"""

BACKWARD = """
CREATE OR REPLACE FUNCTION scheduler_judge_job() RETURNS trigger LANGUAGE plpgsql AS $$
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

DROP FUNCTION scheduler_failures_in_a_row(text);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0025_find_runs_by_reason'),
    ]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
