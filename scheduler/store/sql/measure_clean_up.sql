-- Whether something deletes old rows, and whether there have been runs that could be old by now.
--
-- Locks:   none.
-- Params:  task text, that of the clean-up
-- Rows:    one: an active job has the task; seconds since the latest clean-up or NULL; runs ended more than a day ago
-- Index:   the primary keys; scheduler_rollup_hour

SELECT EXISTS (SELECT 1
                 FROM scheduler_job AS job
                WHERE job.task = %(task)s
                  AND job.state = 'active'),
       (SELECT extract(epoch FROM clock_timestamp() - installation.cleaned_up_at)::float8
          FROM scheduler_installation AS installation),
       EXISTS (SELECT 1
                 FROM scheduler_rollup AS rollup
                WHERE rollup.hour < clock_timestamp() - interval '1 day')
