-- Let the statements of this transaction take longer than those of a claim.
--
-- Locks:   none.
-- Params:  none
-- Rows:    one, of no interest
-- Index:   none

SELECT set_config('statement_timeout', '60000', true), set_config('idle_in_transaction_session_timeout', '60000', true)
