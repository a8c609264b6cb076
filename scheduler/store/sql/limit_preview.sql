-- Let the statements of this transaction take no longer than a person waits for a page.
--
-- Locks:   none.
-- Params:  none
-- Rows:    one, of no interest
-- Index:   none

SELECT set_config('statement_timeout', '4000', true)
