"""Integrations. Each is imported only where a setting or an entry point names it."""
