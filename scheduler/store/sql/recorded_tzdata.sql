-- The version of the time zone data by which next fire times are computed.
--
-- Locks:   none.
-- Params:  none
-- Rows:    the version; none: no node has started yet
-- Index:   none: there is one row

SELECT installation.tzdata
  FROM scheduler_installation AS installation
