"""Nodes and health checks in the admin."""
