"""
Enqueue by a function, which each session plans once.

Processes of the release before go on with their own statement.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION scheduler_enqueue(at timestamp with time zone, public_ids uuid[], tasks text[], args text[], kwargs text[], queues text[], tracks text[], priorities integer[], run_after timestamp with time zone[], timeouts double precision[], lifetimes double precision[], unique_keys text[], policies text[], requested_by text[], OUT created_at timestamp with time zone, OUT refused uuid[]) RETURNS record LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    hint text;
    written bigint;
BEGIN
    created_at := coalesce(at, statement_timestamp());
    INSERT INTO scheduler_run (
           job_id, job_key, job_name, task, args, kwargs, executor, queue, priority, timeout, policies, public_id,
           unique_key, expires_at, scheduled_at, due_at, covers_from, coalesced, kind, attempt, previous_id,
           requested_by, state, reason, reason_code, reason_params, held, node, created_at, finished_at, log,
           traceback)
    SELECT NULL, '/' || wanted.task, wanted.task, wanted.task, wanted.args::jsonb, wanted.kwargs::jsonb, wanted.track,
           wanted.queue, wanted.priority, wanted.timeout, wanted.policies::jsonb, wanted.public_id, wanted.unique_key,
           wanted.expires_at, coalesce(wanted.run_after, clock.now), coalesce(wanted.run_after, clock.now), NULL, 0,
           'enqueued', 1, NULL, wanted.requested_by, 'queued', '', '', NULL, false, NULL, clock.now, NULL, '', ''
      FROM (SELECT created_at AS now) AS clock
     CROSS JOIN LATERAL (
           SELECT given.*, greatest(given.run_after, clock.now) + given.lifetime * interval '1 second' AS expires_at
             FROM unnest(public_ids, tasks, args, kwargs, queues, tracks, priorities, run_after, timeouts, lifetimes,
                         unique_keys, policies, requested_by)
                  WITH ORDINALITY
               AS given (public_id, task, args, kwargs, queue, track, priority, run_after, timeout, lifetime,
                         unique_key, policies, requested_by, place)) AS wanted
     ORDER BY wanted.place
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(public_ids) THEN
        refused := ARRAY(SELECT given.id
                           FROM unnest(public_ids) AS given (id)
                          WHERE NOT EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.public_id = given.id));
    END IF;
    -- One hint for each track with a due run. For those that begin later nodes look ahead.
    FOR hint IN
        SELECT DISTINCT CASE WHEN given.run_after > created_at THEN '' ELSE given.track END
          FROM unnest(tracks, run_after) AS given (track, run_after)
         LIMIT 100
    LOOP
        PERFORM pg_notify('scheduler_runs', hint);
    END LOOP;
END $$;
"""

BACKWARD = """
DROP FUNCTION scheduler_enqueue(
    timestamptz, uuid[], text[], text[], text[], text[], text[], int[], timestamptz[], float8[], float8[], text[], text[],
    text[]);
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0048_watch_enqueued_tasks")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
