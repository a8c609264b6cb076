-- Tell the database who changes jobs from now on, for the history that it keeps itself.
--
-- Locks:   none; it holds until the transaction ends, or until a savepoint around it is rolled back.
-- Params:  said text, JSON as “store/jobs/authorship.py” makes it; empty: nobody any more
-- Rows:    none that matter
-- Index:   none

SELECT set_config('scheduler.change', %(said)s, true)
