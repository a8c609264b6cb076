"""Claiming: due jobs are locked and planned, and their fire times are written into the ledger."""
