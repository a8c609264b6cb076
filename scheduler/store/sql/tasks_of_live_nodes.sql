-- Which of some tasks a live node offers.
--
-- Locks:   none.
-- Params:  tasks text[]
-- Rows:    task
-- Index:   none: there are few nodes

SELECT wanted.task
  FROM unnest(%(tasks)s::text[]) AS wanted (task)
 WHERE EXISTS (SELECT 1
                 FROM scheduler_node AS node
                WHERE node.state = 'running'
                  AND node.kind = 'node'
                  AND node.tasks ? wanted.task)
