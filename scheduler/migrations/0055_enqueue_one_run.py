"""
Enqueue one run without a unique key by a function of its own, and send its hint after its commit.

Without arrays and without a conflict to look for it is quicker. A transaction with a hint holds a lock of the whole
server while it commits, so that commits with hints waited for the disk one after the other. Processes of the release
before go on with the function for many.
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
END $$;

CREATE OR REPLACE PROCEDURE scheduler_enqueue_run_now(IN at timestamp with time zone, IN public_id uuid, IN task text, IN args text, IN kwargs text, IN queue text, IN track text, IN priority integer, IN run_after timestamp with time zone, IN timeout double precision, IN lifetime double precision, IN policies text, IN requested_by text, INOUT created_at timestamp with time zone) LANGUAGE plpgsql
AS $$
BEGIN
    created_at := scheduler_enqueue_run(at, public_id, task, args, kwargs, queue, track, priority, run_after, timeout,
                                        lifetime, policies, requested_by);
    COMMIT;
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_notify('scheduler_runs', CASE WHEN run_after > created_at THEN '' ELSE track END);
END $$;
"""

BACKWARD = """
DROP PROCEDURE scheduler_enqueue_run_now(
    timestamptz, uuid, text, text, text, text, text, int, timestamptz, float8, float8, text, text, timestamptz);
DROP FUNCTION scheduler_enqueue_run(
    timestamptz, uuid, text, text, text, text, text, int, timestamptz, float8, float8, text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0054_keep_answers_to_switches_as_data")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
