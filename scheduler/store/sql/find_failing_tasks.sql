-- Tasks whose enqueued runs fail as often in a row as a rule says. The database judges them as failures are recorded;
-- this is for a rule that is new or was changed.
--
-- Locks:   none.
-- Params:  rule bigint
-- Rows:    rule id, subject, job key, failures in a row, latest run, facts (JSON)
-- Index:   none: the table holds what fails now

SELECT rule.id, 'task:' || streak.queue || '/' || streak.task, '/' || streak.task, streak.failures::float8, streak.run, '{}'
  FROM scheduler_rule AS rule
  JOIN scheduler_taskstreak AS streak ON streak.failures >= rule.threshold
 WHERE rule.enabled
   AND rule.kind = 'failing'
   AND rule.id = %(rule)s::bigint
   AND scheduler_rule_watches(rule, '/' || streak.task, streak.task, '{}', streak.queue)
