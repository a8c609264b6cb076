"""The dashboard: counters, charts and the timeline."""
