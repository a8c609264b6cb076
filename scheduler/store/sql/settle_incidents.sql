-- Settle incidents of a kind whose findings the caller has, as of the scheduler itself.
--
-- Locks:   those of settle_holding.
-- Params:  kind text; now timestamptz or NULL; rule bigint, or NULL for all of the kind; because text, for those that
--          end; by text; arrays of one length: rules bigint[], subjects text[], measures float8[], facts text[] (JSON)
-- Rows:    one: how many were opened, and how many closed
-- Index:   those of settle_holding

WITH holding AS (
    SELECT told.rule_id, told.subject, NULL::text AS job_id, told.measured, NULL::bigint AS run, told.facts
      FROM unnest(%(rules)s::bigint[], %(subjects)s::text[], %(measures)s::float8[],
                  %(facts)s::text[]) AS told (rule_id, subject, measured, facts)
), {settle_holding}
