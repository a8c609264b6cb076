-- Functions and triggers of the database, as they are now.
--
-- Migrations create them step by step, so that nodes of the release before go on; this file is what they add up to. To
-- change one, edit it here and write a migration with the same text: tests/integration/store/test_schema.py builds one
-- database from the migrations and one from the models and this file, and compares the two.

-- Definitions written past the services: a node inspects them.
CREATE OR REPLACE FUNCTION scheduler_job_changed() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    -- The services raise the version with every change; whoever does not is inspected by a node.
    IF NEW.version <= OLD.version THEN
        IF NEW.trigger IS DISTINCT FROM OLD.trigger THEN
            NEW.needs_rescheduling := true;
        END IF;
        NEW.needs_inspection := NEW.needs_inspection
            OR NEW.trigger IS DISTINCT FROM OLD.trigger
            OR NEW.task IS DISTINCT FROM OLD.task
            OR NEW.args IS DISTINCT FROM OLD.args
            OR NEW.kwargs IS DISTINCT FROM OLD.kwargs
            OR (NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('active', 'paused', 'finished'));
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER scheduler_job_changed
    BEFORE UPDATE OF trigger, task, args, kwargs, state ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_job_changed();

-- Give no version twice, whoever writes: what somebody has read is never taken for what is stored now.
CREATE OR REPLACE FUNCTION scheduler_raise_version() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    -- Nodes write these. Everything else is part of the definition, columns of later migrations included.
    kept_by_nodes CONSTANT text[] := ARRAY[
        'version', 'state', 'paused_until', 'state_reason', 'reason_code', 'reason_params', 'state_changed_at',
        'state_changed_by', 'updated_at', 'updated_by', 'needs_inspection', 'needs_rescheduling', 'interrupted_at',
        'consecutive_failures'];
BEGIN
    IF NEW.version < OLD.version OR to_jsonb(NEW) - kept_by_nodes <> to_jsonb(OLD) - kept_by_nodes THEN
        NEW.version := least(OLD.version, 2147483646) + 1;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER scheduler_raise_version
    BEFORE UPDATE OF version, name, tags, description, task, args, kwargs, trigger, executor, priority, queue,
        "coalesce", max_instances, misfire_grace_time, rerun_if_interrupted, overlap, timeout, max_retries,
        retry_delay, retry_backoff, retry_delay_cap, retry_jitter, pause_after_failures, state, state_reason,
        source, paused_until ON scheduler_job
        FOR EACH ROW WHEN ((new.version <= old.version)) EXECUTE FUNCTION scheduler_raise_version();

-- Wake the nodes when definitions change.
CREATE OR REPLACE FUNCTION scheduler_notify_jobs() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('scheduler_jobs', '');
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_notify_jobs
    AFTER INSERT OR DELETE OR UPDATE OF task, args, kwargs, trigger, state, executor, priority, queue, "coalesce",
          max_instances, misfire_grace_time, overlap, needs_inspection, version ON scheduler_job
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_notify_jobs();

-- Keep the runs of a deleted job, without the job.
CREATE OR REPLACE FUNCTION scheduler_keep_history() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    -- Most jobs have no more runs than this. Those of the others are detached by nodes, a thousand at a time.
    UPDATE scheduler_run AS run
       SET job_id = NULL
     WHERE run.id = ANY(ARRAY(SELECT own.id
                                FROM scheduler_run AS own
                               WHERE own.job_id = OLD.djangojob_ptr_id
                               ORDER BY own.scheduled_at DESC, own.attempt DESC
                               LIMIT 2000
                                 FOR NO KEY UPDATE SKIP LOCKED));
    IF EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.job_id = OLD.djangojob_ptr_id) THEN
        INSERT INTO scheduler_removed (job_key) VALUES (OLD.djangojob_ptr_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_keep_history
    AFTER DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_keep_history();

-- The history of jobs: one row for each change, whoever makes it.
CREATE OR REPLACE FUNCTION scheduler_note_change() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    -- The author that the writer has named, see store/jobs/authorship.py. NULL: it wrote past the services.
    said jsonb := nullif(nullif(current_setting('scheduler.change', true), ''), 'none')::jsonb;
    -- Everything else is part of the definition, columns of later migrations included.
    noted_elsewhere CONSTANT text[] := ARRAY[
        'djangojob_ptr_id', 'version', 'state_reason', 'reason_code', 'reason_params', 'state_changed_at',
        'state_changed_by', 'created_at', 'created_by', 'updated_at', 'updated_by', 'needs_inspection',
        'needs_rescheduling', 'interrupted_at', 'consecutive_failures'];
    current_row scheduler_job%ROWTYPE;
    definition jsonb;
    differences jsonb := '{}';
    has_state_reason boolean := false;
    what text;
BEGIN
    IF TG_OP = 'DELETE' THEN current_row := OLD; ELSE current_row := NEW; END IF;
    IF said ? 'job' THEN
        IF said ->> 'job' = current_row.djangojob_ptr_id THEN
            -- It was said of one write, not of the rest of the transaction.
            PERFORM set_config('scheduler.change', '', true);
        ELSE
            said := NULL;
        END IF;
    END IF;
    definition := to_jsonb(current_row) - noted_elsewhere;
    what := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'DELETE' THEN 'deleted' ELSE 'edited' END;
    IF TG_OP = 'UPDATE' THEN
        SELECT coalesce(jsonb_object_agg(fresh.key, jsonb_build_array(former.value, fresh.value)), '{}')
          INTO differences
          FROM jsonb_each(definition) AS fresh
          JOIN jsonb_each(to_jsonb(OLD) - noted_elsewhere) AS former ON former.key = fresh.key
         WHERE fresh.value IS DISTINCT FROM former.value;
        IF NEW.state <> OLD.state THEN
            has_state_reason := true;
            what := CASE
                WHEN NEW.state IN ('paused', 'broken', 'finished') THEN NEW.state
                WHEN OLD.state = 'paused' THEN 'resumed'
                WHEN OLD.state = 'broken' THEN 'healed'
                ELSE what END;
        ELSIF NEW.state = 'broken' AND differences = '{}'
              AND (NEW.state_reason, NEW.reason_code, NEW.reason_params)
                  IS DISTINCT FROM (OLD.state_reason, OLD.reason_code, OLD.reason_params) THEN
            has_state_reason := true;
            what := 'broken';
        END IF;
        differences := differences || coalesce(said -> 'also', '{}');
        IF differences = '{}' AND what <> 'broken' THEN
            RETURN NULL;
        END IF;
    END IF;
    -- Whoever writes may have given a reason; otherwise it is that of the new state.
    has_state_reason := has_state_reason AND coalesce(said ->> 'reason', '') = '' AND NOT coalesce(said ? 'reason_code', false);
    INSERT INTO scheduler_change
           (job_key, job_name, version, action, actor, via, reason, reason_code, reason_params, restored_version,
            changes, definition, changed_at)
    VALUES (current_row.djangojob_ptr_id, current_row.name, current_row.version, coalesce(said ->> 'action', what),
            CASE WHEN said IS NULL THEN session_user::text ELSE coalesce(said ->> 'actor', '') END,
            coalesce(said ->> 'via', 'database'),
            CASE WHEN has_state_reason THEN NEW.state_reason ELSE coalesce(said ->> 'reason', '') END,
            CASE WHEN has_state_reason THEN NEW.reason_code ELSE coalesce(said ->> 'reason_code', '') END,
            CASE WHEN has_state_reason THEN NEW.reason_params ELSE nullif(said -> 'reason_params', 'null') END,
            (said ->> 'restored_version')::int, differences, definition, now());
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_note_existence
    AFTER DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_change();

-- The first line of the history of jobs: one statement notes all jobs that one statement creates.
CREATE OR REPLACE FUNCTION scheduler_note_creation() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    -- The author that the writer has named, as in scheduler_note_change.
    said jsonb := nullif(nullif(current_setting('scheduler.change', true), ''), 'none')::jsonb;
    -- Everything else is part of the definition, columns of later migrations included.
    noted_elsewhere CONSTANT text[] := ARRAY[
        'djangojob_ptr_id', 'version', 'state_reason', 'reason_code', 'reason_params', 'state_changed_at',
        'state_changed_by', 'created_at', 'created_by', 'updated_at', 'updated_by', 'needs_inspection',
        'needs_rescheduling', 'interrupted_at', 'consecutive_failures'];
    common jsonb;
    comparisons text;
    own text;
BEGIN
    -- Jobs that are created together are mostly equal: the first is described as a whole, and of the others what differs.
    SELECT to_jsonb(first) - noted_elsewhere INTO common FROM (SELECT * FROM fresh LIMIT 1) AS first;
    IF common IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT string_agg(format('CASE WHEN bool_or(fresh.%1$I IS DISTINCT FROM first.%1$I) THEN %2$L END',
                             attribute.attname, format('%1$L, fresh.%1$I', attribute.attname)), ', ')
      INTO comparisons
      FROM pg_attribute AS attribute
     WHERE attribute.attrelid = TG_RELID
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
       AND attribute.attname <> ALL(noted_elsewhere);
    EXECUTE format('SELECT concat_ws('', '', %s) FROM fresh CROSS JOIN (SELECT * FROM fresh LIMIT 1) AS first', comparisons)
       INTO own;
    EXECUTE format($statement$
        INSERT INTO scheduler_change
               (job_key, job_name, version, action, actor, via, reason, reason_code, reason_params, restored_version,
                changes, definition, changed_at)
        SELECT fresh.djangojob_ptr_id, fresh.name, fresh.version, coalesce(known.said ->> 'action', 'created'),
               CASE WHEN known.said IS NULL THEN session_user::text ELSE coalesce(known.said ->> 'actor', '') END,
               coalesce(known.said ->> 'via', 'database'), coalesce(known.said ->> 'reason', ''),
               coalesce(known.said ->> 'reason_code', ''), nullif(known.said -> 'reason_params', 'null'),
               (known.said ->> 'restored_version')::int, '{}', $2 || jsonb_build_object(%s), now()
          FROM fresh
         CROSS JOIN LATERAL (
               SELECT CASE WHEN $1 ->> 'job' <> fresh.djangojob_ptr_id THEN NULL ELSE $1 END) AS known (said)
        $statement$, own) USING said, common;
    IF EXISTS (SELECT 1 FROM fresh WHERE fresh.djangojob_ptr_id = said ->> 'job') THEN
        -- It was said of one write, not of the rest of the transaction.
        PERFORM set_config('scheduler.change', '', true);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_note_creation
    AFTER INSERT ON scheduler_job
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_note_creation();

CREATE TRIGGER scheduler_note_change
    AFTER UPDATE OF version, name, tags, description, task, args, kwargs, trigger, executor, priority, queue,
        "coalesce", max_instances, misfire_grace_time, rerun_if_interrupted, overlap, timeout, max_retries,
        retry_delay, retry_backoff, retry_delay_cap, retry_jitter, pause_after_failures, state, state_reason,
        source, paused_until ON scheduler_job
        FOR EACH ROW WHEN ((current_setting('scheduler.change'::text, true) IS DISTINCT FROM 'none'::text))
        EXECUTE FUNCTION scheduler_note_change();

-- The history of jobs is never changed.
CREATE OR REPLACE FUNCTION scheduler_refuse_rewriting() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'The history of jobs is never changed.' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER scheduler_refuse_rewriting
    BEFORE UPDATE ON scheduler_change
    FOR EACH ROW EXECUTE FUNCTION scheduler_refuse_rewriting();

-- Whether an alert rule watches a job.
CREATE OR REPLACE FUNCTION scheduler_rule_watches(rule scheduler_rule, job_id text, task text, tags text[]) RETURNS boolean LANGUAGE sql
 IMMUTABLE
AS $$
    SELECT CASE rule.scope
           WHEN 'everything' THEN true
           WHEN 'job' THEN rule.target = job_id
           WHEN 'task' THEN rule.target = task
           WHEN 'tag' THEN rule.target = ANY(tags)
           ELSE false END
$$;

-- Whether a rule watches a job, or an enqueued task in a queue. The other one is for nodes of the release before.
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

-- The kind of an error: what failures with one cause have in common.
CREATE OR REPLACE FUNCTION scheduler_error_kind(error text) RETURNS text LANGUAGE sql
 IMMUTABLE
AS $$
    SELECT left(regexp_replace(split_part(error, E'\n', 1),
                               '''[^'']*''|"[^"]*"|“[^”]*”|\m[0-9a-f]{8,}(-[0-9a-f]+)*\M|[0-9]+', '#', 'g'), 200)
$$;

-- Open incidents of alert rules, or count what belongs to an open one.
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

-- The failures of a job since its last success, as far back as 100 fire times.
CREATE OR REPLACE FUNCTION scheduler_failures_in_a_row(of_job text, OUT failures integer, OUT has_success boolean, OUT succeeded_at timestamp with time zone) RETURNS record LANGUAGE sql
 STABLE
AS $$
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

-- Judge a job by the alert rules when its failures or its state change.
CREATE OR REPLACE FUNCTION scheduler_judge_job() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    -- The author that the writer has named, see store/jobs/authorship.py.
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
            SELECT run.id, left(split_part(run.error, E'\n', 1), 500), ARRAY[scheduler_error_kind(run.error)]
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

CREATE TRIGGER scheduler_judge_job
    AFTER UPDATE OF consecutive_failures, state, task, args, kwargs, trigger, timeout ON scheduler_job
        FOR EACH ROW WHEN (((old.consecutive_failures IS DISTINCT FROM new.consecutive_failures) OR
        ((old.state)::text IS DISTINCT FROM (new.state)::text) OR ((old.task)::text IS DISTINCT FROM
        (new.task)::text) OR (old.args IS DISTINCT FROM new.args) OR (old.kwargs IS DISTINCT FROM new.kwargs) OR
        (old.trigger IS DISTINCT FROM new.trigger) OR (old.timeout IS DISTINCT FROM new.timeout))) EXECUTE
        FUNCTION scheduler_judge_job();

CREATE TRIGGER scheduler_judge_deletion
    AFTER DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_judge_job();

-- Judge an enqueued task by the alert rules when it fails, and when a success ends that.
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
        SELECT left(split_part(run.error, E'\n', 1), 500), ARRAY[scheduler_error_kind(run.error)]
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

-- Enqueue runs, one for each call of a task. A function, because a session plans it once.
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

-- Enqueue one run without a unique key, as most calls do: without arrays and without a conflict to look for.
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

-- Enqueue one run and commit. Its hint has a transaction of its own, which does not wait for the disk: while one with a hint
-- commits, all others with hints wait.
CREATE OR REPLACE PROCEDURE scheduler_enqueue_run_now(IN at timestamp with time zone, IN public_id uuid, IN task text, IN args text, IN kwargs text, IN queue text, IN track text, IN priority integer, IN run_after timestamp with time zone, IN timeout double precision, IN lifetime double precision, IN policies text, IN requested_by text, INOUT created_at timestamp with time zone) LANGUAGE plpgsql
AS $$
BEGIN
    created_at := scheduler_enqueue_run(at, public_id, task, args, kwargs, queue, track, priority, run_after, timeout,
                                        lifetime, policies, requested_by);
    COMMIT;
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_notify('scheduler_runs', CASE WHEN run_after > created_at THEN '' ELSE track END);
END $$;

-- Note a window of fire times that nothing accounts for.
CREATE OR REPLACE FUNCTION scheduler_owe(job scheduler_job, first timestamp with time zone, until timestamp with time zone) RETURNS void LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
    IF first IS NULL OR first > until THEN
        RETURN;
    END IF;
    -- Whoever moves a job and has written the rows for it in the same transaction owes nothing.
    IF EXISTS (
        SELECT 1
          FROM scheduler_run AS run
         WHERE run.job_id = job.djangojob_ptr_id
           AND run.scheduled_at >= first
           AND coalesce(run.covers_from, run.scheduled_at) <= first
           AND run.attempt = 1
           AND age(run.xmin) <= age(pg_current_xact_id()::xid))
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

-- Note fire times that a change of next_run_time passes over.
CREATE OR REPLACE FUNCTION scheduler_note_owed() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    job scheduler_job%ROWTYPE;
BEGIN
    SELECT * INTO job FROM scheduler_job AS candidate WHERE candidate.djangojob_ptr_id = OLD.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NEW.next_run_time IS NULL AND job.state = 'active' THEN
        -- Whoever ends or pauses it says so next. Otherwise a node puts it back into the schedule, where it was.
        UPDATE scheduler_job AS cleared
           SET interrupted_at = least(cleared.interrupted_at, OLD.next_run_time), needs_inspection = true
         WHERE cleared.djangojob_ptr_id = OLD.id;
    ELSE
        PERFORM scheduler_owe(job, OLD.next_run_time,
                              least(clock_timestamp(), NEW.next_run_time - interval '1 microsecond'));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_note_owed
    AFTER UPDATE OF next_run_time ON django_apscheduler_djangojob
        FOR EACH ROW WHEN (((old.next_run_time IS NOT NULL) AND ((new.next_run_time IS NULL) OR
        (new.next_run_time > old.next_run_time)) AND (current_setting('scheduler.accounts'::text, true) IS
        DISTINCT FROM 'claim'::text))) EXECUTE FUNCTION scheduler_note_owed();

-- Note fire times that a change of the trigger passes over.
CREATE OR REPLACE FUNCTION scheduler_note_other_trigger() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    due_at timestamptz;
BEGIN
    SELECT parent.next_run_time INTO due_at
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id = OLD.djangojob_ptr_id;
    IF OLD.state = 'active' THEN
        PERFORM scheduler_owe(OLD, due_at, clock_timestamp());
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_note_other_trigger
    AFTER UPDATE OF trigger ON scheduler_job
    FOR EACH ROW WHEN (((new.trigger IS DISTINCT FROM old.trigger) AND
        (current_setting('scheduler.accounts'::text, true) IS DISTINCT FROM 'claim'::text)))
        EXECUTE FUNCTION scheduler_note_other_trigger();

-- A node of a release that does not know calendars leaves jobs with calendars alone: to break one, it would have to say
-- that a key of its trigger is unknown. It takes the job for locked, and passes it by.
CREATE OR REPLACE FUNCTION scheduler_spare_calendars() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'The trigger of the job % has calendars, which this release does not know.', OLD.djangojob_ptr_id
          USING ERRCODE = 'lock_not_available';
END $$;

CREATE TRIGGER scheduler_spare_calendars
    BEFORE UPDATE OF state ON scheduler_job
    FOR EACH ROW WHEN ((((new.state)::text = 'broken'::text) AND (new.trigger ?| ARRAY['calendars'::text, 'windows'::text])
        AND (new.reason_params @? '$.**.key?(@ == "only_on" || @ == "not_on" || @ == "otherwise" || @ == "calendars" || @ == "windows")'::jsonpath)))
        EXECUTE FUNCTION scheduler_spare_calendars();

-- Put the runs of a former job with the same id aside.
CREATE OR REPLACE FUNCTION scheduler_begin_anew() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM scheduler_removed AS removed WHERE removed.job_key = NEW.djangojob_ptr_id) THEN
        RETURN NEW;
    END IF;
    UPDATE scheduler_run AS run
       SET job_id = NULL
     WHERE run.id = ANY(ARRAY(SELECT former.id
                                FROM scheduler_run AS former
                               WHERE former.job_id = NEW.djangojob_ptr_id
                               LIMIT 20000
                                 FOR NO KEY UPDATE SKIP LOCKED));
    IF EXISTS (SELECT 1 FROM scheduler_run AS run WHERE run.job_id = NEW.djangojob_ptr_id) THEN
        RAISE EXCEPTION 'The runs of the former job % are still being put aside. Try again in a minute.',
              NEW.djangojob_ptr_id USING ERRCODE = 'object_in_use';
    END IF;
    DELETE FROM scheduler_removed AS removed WHERE removed.job_key = NEW.djangojob_ptr_id;
    RETURN NEW;
END $$;

CREATE TRIGGER scheduler_begin_anew
    BEFORE INSERT ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_begin_anew();

-- Note fire times that a deletion passes over.
CREATE OR REPLACE FUNCTION scheduler_note_owed_of_deleted() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    job scheduler_job%ROWTYPE;
    key text := coalesce(to_jsonb(OLD) ->> 'djangojob_ptr_id', to_jsonb(OLD) ->> 'id');
    due_at timestamptz;
BEGIN
    -- A claim that has locked it enters fire times: what is owed is known when that is over.
    SELECT parent.next_run_time INTO due_at FROM django_apscheduler_djangojob AS parent WHERE parent.id = key FOR UPDATE;
    SELECT * INTO job FROM scheduler_job AS candidate WHERE candidate.djangojob_ptr_id = key;
    IF FOUND THEN
        PERFORM scheduler_owe(job, least(due_at, job.interrupted_at), clock_timestamp());
    END IF;
    RETURN OLD;
END $$;

-- Note fire times that a job owed since it broke, or since its time was cleared, when that is taken back.
CREATE OR REPLACE FUNCTION scheduler_note_owed_since() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    due_at timestamptz;
BEGIN
    SELECT parent.next_run_time INTO due_at
      FROM django_apscheduler_djangojob AS parent
     WHERE parent.id = OLD.djangojob_ptr_id;
    PERFORM scheduler_owe(OLD, OLD.interrupted_at,
                          least(clock_timestamp(), due_at - interval '1 microsecond',
                                NEW.interrupted_at - interval '1 microsecond'));
    RETURN NULL;
END $$;

CREATE TRIGGER scheduler_note_owed_since
    AFTER UPDATE OF interrupted_at ON scheduler_job
    FOR EACH ROW WHEN (((old.interrupted_at IS NOT NULL) AND ((new.interrupted_at IS NULL) OR
        (new.interrupted_at > old.interrupted_at))))
    EXECUTE FUNCTION scheduler_note_owed_since();

-- A job that is restored together with its history gets no second first line.
CREATE OR REPLACE FUNCTION scheduler_note_once() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    -- Of a job that is made anew, the newest line says that it was deleted.
    IF (SELECT action FROM scheduler_change WHERE job_key = NEW.job_key ORDER BY id DESC LIMIT 1) <> 'deleted'
    THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER scheduler_note_owed_of_deleted
    BEFORE DELETE ON django_apscheduler_djangojob
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_owed_of_deleted();

CREATE TRIGGER scheduler_note_owed_of_deleted
    BEFORE DELETE ON scheduler_job
    FOR EACH ROW EXECUTE FUNCTION scheduler_note_owed_of_deleted();

CREATE TRIGGER scheduler_change_noted_once
    BEFORE INSERT ON scheduler_change
    FOR EACH ROW WHEN ((((new.action)::text = 'created'::text) AND ((new.via)::text = 'database'::text))) EXECUTE FUNCTION scheduler_note_once();

-- Programs such as pg_restore empty the search path: trigger functions bring their own.
DO $$
DECLARE
    found regprocedure;
BEGIN
    FOR found IN
        SELECT routine.oid::regprocedure
          FROM pg_proc AS routine
         WHERE routine.pronamespace = current_schema()::regnamespace
           AND routine.proname LIKE 'scheduler\_%' AND routine.prorettype = 'trigger'::regtype
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path TO %I, pg_temp', found, current_schema());
    END LOOP;
END
$$;
