"""Queries: filters, lists, history, status, health and metrics, each in a bounded number of statements."""
