-- In how many windows of the last days more fire times of a job were missed or skipped than allowed.
--
-- Locks:   none.
-- Params:  scope, target text; threshold int; seconds float8; days int
-- Rows:    one: how many
-- Index:   scheduler_rollup_hour

SELECT count(*)
  FROM (SELECT rollup.job_key
          FROM scheduler_rollup AS rollup
          JOIN scheduler_job AS job ON job.djangojob_ptr_id = rollup.job_key
         WHERE rollup.hour >= now() - %(days)s * interval '1 day'
           AND rollup.missed::bigint + rollup.skipped - rollup.left_out > 0
           AND (%(scope)s = 'everything' OR %(scope)s = 'job' AND job.djangojob_ptr_id = %(target)s
        OR %(scope)s = 'task' AND job.task = %(target)s OR %(scope)s = 'queue' AND job.queue = %(target)s
        OR %(scope)s = 'tag' AND %(target)s = ANY(job.tags))
         GROUP BY rollup.job_key,
                  floor(date_part('epoch', rollup.hour) / greatest(%(seconds)s::float8, 3600))
        HAVING sum(rollup.missed::bigint + rollup.skipped - rollup.left_out) > %(threshold)s) AS windows
