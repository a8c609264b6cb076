-- The enabled rules of a kind.
--
-- Locks:   none.
-- Params:  kind text
-- Rows:    id
-- Index:   none: there are few rules

SELECT rule.id
  FROM scheduler_rule AS rule
 WHERE rule.enabled
   AND rule.kind = %(kind)s
 ORDER BY rule.id
