"""Jobs whose runs go on until a test ends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scheduler.services import jobs

NOT_SOON = {"type": "interval", "days": 1}


def hold(id: str, until: Path, **policies: Any) -> None:
    """Create a job whose run goes on until the file exists, and let it run."""
    job = jobs.create(id=id, task="sample.hold", trigger=NOT_SOON, kwargs={"until": str(until)}, **policies)
    jobs.run_now(job=job)
