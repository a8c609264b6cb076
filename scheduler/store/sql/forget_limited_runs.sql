-- Free the places of granted runs that have ended, and forget those that ended while they waited.
--
-- Locks:   the rows; one node at a time does it.
-- Params:  waiting bool: those that waited as well
-- Rows:    run
-- Index:   scheduler_limited_granted; the primary key of the ledger

DELETE FROM scheduler_limited_run AS limited
 WHERE (limited.granted_at IS NOT NULL OR %(waiting)s)
   AND NOT EXISTS (SELECT 1
                     FROM scheduler_run AS run
                    WHERE run.id = limited.run
                      AND run.finished_at IS NULL)
RETURNING limited.run
