-- Count how often a job broke in the last days.
--
-- Locks:   none.
-- Params:  scope, target text; days int
-- Rows:    one: how often
-- Index:   none: the history of jobs is short

SELECT count(*)
  FROM scheduler_change AS change
 WHERE change.action = 'broken'
   AND change.changed_at >= now() - %(days)s * interval '1 day'
   AND (%(scope)s = 'everything' OR %(scope)s = 'job' AND change.job_key = %(target)s
        OR %(scope)s = 'task' AND change.definition ->> 'task' = %(target)s
        OR %(scope)s = 'queue' AND coalesce(change.definition ->> 'queue', 'default') = %(target)s
        OR %(scope)s = 'tag' AND change.definition -> 'tags' @> to_jsonb(%(target)s::text))
