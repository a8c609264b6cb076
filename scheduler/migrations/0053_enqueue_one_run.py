"""
Enqueue one run without a unique key by a function of its own: without arrays and a conflict it takes half of the time.

Processes of the release before go on with the function for many.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION scheduler_enqueue_run(at timestamp with time zone, public_id uuid, task text, args text, kwargs text, queue text, track text, priority integer, run_after timestamp with time zone, timeout double precision, lifetime double precision, policies text, requested_by text, OUT created_at timestamp with time zone) RETURNS timestamp with time zone LANGUAGE plpgsql
AS $$
DECLARE
    unique_key CONSTANT text := NULL;
    expires_at timestamptz;
BEGIN
    created_at := coalesce(at, statement_timestamp());
    expires_at := greatest(run_after, created_at) + lifetime * interval '1 second';
    INSERT INTO scheduler_run (
           job_id, job_key, job_name, task, args, kwargs, executor, queue, priority, timeout, policies, public_id,
           unique_key, expires_at, scheduled_at, due_at, covers_from, coalesced, kind, attempt, previous_id,
           requested_by, state, reason, reason_code, reason_params, held, node, created_at, finished_at, log,
           traceback)
    VALUES (NULL, '/' || task, task, task, args::jsonb, kwargs::jsonb, track, queue, priority, timeout, policies::jsonb,
            public_id, unique_key, expires_at, coalesce(run_after, created_at), coalesce(run_after, created_at), NULL,
            0, 'enqueued', 1, NULL, requested_by, 'queued', '', '', NULL, false, NULL, created_at, NULL, '', '');
    PERFORM pg_notify('scheduler_runs', CASE WHEN run_after > created_at THEN '' ELSE track END);
END $$;
"""

BACKWARD = """
DROP FUNCTION scheduler_enqueue_run(
    timestamptz, uuid, text, text, text, text, text, int, timestamptz, float8, float8, text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0052_measure_queues_by_their_indexes")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
