-- Whether a node that is meant to be alive computes by this release of the time zone rules.
--
-- Locks:   none.
-- Params:  tzdata text
-- Rows:    one boolean
-- Index:   scheduler_node_state_beat

SELECT EXISTS (SELECT 1
                 FROM scheduler_node AS node
                WHERE node.state = 'running'
                  AND node.tzdata = %(tzdata)s)
