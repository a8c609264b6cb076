"""Secrets in the tables of other apps: sealed with the project's key, as secret arguments of jobs are."""

from scheduler.sealing import is_sealed, seal, unseal

__all__ = ["is_sealed", "seal", "unseal"]
