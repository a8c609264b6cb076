"""Django's PostgreSQL backend with a pool, and with the embedded server behind it when nothing else is configured."""
