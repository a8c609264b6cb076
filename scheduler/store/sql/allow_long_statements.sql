-- Let the statements of this transaction take longer than those of a claim: one finds what holds for a million jobs, and
-- settles their incidents. A session that runs it waits longer for an answer (answer_seconds of the sender).
--
-- Locks:   none.
-- Params:  none
-- Rows:    one, of no interest
-- Index:   none

SELECT set_config('statement_timeout', '120000', true), set_config('idle_in_transaction_session_timeout', '60000', true)
