"""A watch inside the database: it records writes to the ledger that must never happen, whoever makes them."""

INSTALL = """
CREATE TABLE chaos_violation (
    at timestamptz NOT NULL DEFAULT clock_timestamp(), what text NOT NULL, run bigint, detail text
);
CREATE FUNCTION chaos_watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL
       AND (NEW.state, NEW.finished_at, NEW.node, NEW.started_at) IS DISTINCT FROM
           (OLD.state, OLD.finished_at, OLD.node, OLD.started_at) THEN
        INSERT INTO chaos_violation (what, run, detail)
        VALUES ('a finished run was changed', OLD.id, OLD.state || ' -> ' || NEW.state);
    ELSIF OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND OLD.node IS DISTINCT FROM NEW.node THEN
        INSERT INTO chaos_violation (what, run, detail)
        VALUES ('a run changed hands as it ended', OLD.id, NEW.state);
    ELSIF OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
          AND OLD.node IS NULL AND NEW.started_at IS NOT NULL THEN
        INSERT INTO chaos_violation (what, run, detail)
        VALUES ('an outcome was taken for a run that had been released', OLD.id, NEW.state);
    ELSIF OLD.state = 'running' AND NEW.state = 'running' AND OLD.node IS DISTINCT FROM NEW.node THEN
        INSERT INTO chaos_violation (what, run, detail) VALUES ('a running run changed hands', OLD.id, '');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER chaos_watch BEFORE UPDATE ON scheduler_run FOR EACH ROW EXECUTE FUNCTION chaos_watch();
"""
