-- Let the clock of this session stand at an instant, or go on as PostgreSQL's own.
--
-- Locks:   none
-- Params:  instant text, empty for PostgreSQL's own clock
-- Rows:    one: the instant, and whether this session has such a clock
-- Index:   none

SELECT set_config('scheduler_testing.now', %(instant)s, false),
       current_setting('search_path') LIKE '%%scheduler_testing%%' AND to_regnamespace('scheduler_testing') IS NOT NULL
