"""Claiming: due jobs are planned, their fire times written into the ledger; and which runs limits let start."""
