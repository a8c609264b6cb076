"""Cleaning: rows that may be forgotten are found and deleted a page at a time."""
