"""Telemetry: every log event, every metric, and the server that exports the metrics."""
