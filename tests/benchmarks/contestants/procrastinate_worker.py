"""procrastinate: jobs deferred beforehand, one worker. Its rows are the history."""

from __future__ import annotations

import os
import time
from typing import Any

from tests.benchmarks.contestants import work


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))
    task = app.task(name="nothing")(work.nothing)
    with app.open():
        app.schema_manager.apply_schema()
        for begin in range(0, jobs, 1000):
            task.batch_defer(*[{} for _ in range(min(1000, jobs - begin))])
    began = time.perf_counter()
    app.run_worker(concurrency=threads, wait=False, listen_notify=False, install_signal_handlers=False)
    seconds = time.perf_counter() - began
    return {"jobs": jobs, "seconds": round(seconds, 3), "runs_per_second": round(jobs / seconds, 1)}
