"""Sessions with PostgreSQL: a node's own connections, locks and wake-ups, and the handling of rows that fail."""
