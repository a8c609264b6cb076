-- Let new runs have higher numbers than those that a node has seen, if the sequence does not know of these any more.
--
-- Locks:   none. Numbers are only ever used up, so that nodes that do this together do no harm.
-- Params:  seen bigint
-- Rows:    one: how many numbers were left out
-- Index:   none

SELECT count(nextval(numbers.name))
  FROM (SELECT pg_get_serial_sequence('scheduler_run', 'id')::regclass AS name) AS numbers,
       generate_series(coalesce(pg_sequence_last_value(numbers.name), 0) + 1, %(seen)s::bigint)
