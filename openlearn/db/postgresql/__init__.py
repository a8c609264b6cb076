"""Django's PostgreSQL backend with a pool, and with the embedded server as its default."""
