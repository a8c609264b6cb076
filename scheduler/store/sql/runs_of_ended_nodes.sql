-- Find active runs of nodes that are gone, or that nobody knows any more.
--
-- Locks:   none.
-- Params:  limit int, the most rows
-- Rows:    id
-- Index:   scheduler_run_owned_by_node, between the numbers of the living: what these left behind is not read

WITH living AS MATERIALIZED (
    SELECT node.id
      FROM scheduler_node AS node
     WHERE node.state IN ('running', 'stopping')
), gap AS (
    SELECT coalesce(lag(living.id) OVER (ORDER BY living.id), '00000000-0000-0000-0000-000000000000') AS low,
           living.id AS high
      FROM living
     UNION ALL
    SELECT coalesce((SELECT living.id FROM living ORDER BY living.id DESC LIMIT 1), '00000000-0000-0000-0000-000000000000'),
           'ffffffff-ffff-ffff-ffff-ffffffffffff'
)
SELECT orphan.id
  FROM gap
 CROSS JOIN LATERAL (SELECT run.id
                       FROM scheduler_run AS run
                      WHERE run.finished_at IS NULL
                        AND run.node IS NOT NULL
                        AND run.node > gap.low
                        AND run.node < gap.high
                      ORDER BY run.node, run.id
                      LIMIT %(limit)s) AS orphan
 LIMIT %(limit)s
