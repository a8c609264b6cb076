"""This scheduler with an idempotent task: it skips the start gate, and every run is in the ledger."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contestants import ours


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    return ours.run(jobs=jobs, threads=threads, task="benchmarks.nothing_idempotent")
