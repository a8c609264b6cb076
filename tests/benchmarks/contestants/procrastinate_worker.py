"""procrastinate: jobs deferred beforehand, one worker. Its rows are the history."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.contestants.work import WARM_UP_SECONDS, CannotCompare, nothing, percentiles

_LEAD_SECONDS = 15
"""How long the jobs may take to be deferred before the first is due."""

_POLL_SECONDS = 5
"""A worker's default: it looks this often for jobs whose time has come."""


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    app = _app()
    task = app.task(name="nothing")(nothing)
    with app.open():
        app.schema_manager.apply_schema()
        for begin in range(0, jobs, 1000):
            task.batch_defer(*[{} for _ in range(min(1000, jobs - begin))])
    began = time.perf_counter()
    app.run_worker(concurrency=threads, wait=False, listen_notify=False, install_signal_handlers=False)
    seconds = time.perf_counter() - began
    return {"jobs": jobs, "seconds": round(seconds, 3), "runs_per_second": round(jobs / seconds, 1)}


def lateness(*, rate: int, seconds: int, threads: int) -> dict[str, Any]:
    """Defer jobs with a time to run at, and let a worker with its default settings find them."""
    return asyncio.run(_lateness(rate, seconds, threads))


async def _lateness(rate: int, seconds: int, threads: int) -> dict[str, Any]:
    app = _app()
    late: list[float] = []
    counted_from = 0.0

    @app.task(name="due")  # type: ignore[untyped-decorator]
    def due(at: float) -> None:
        if at >= counted_from:
            late.append((time.time() - at) * 1000)

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        begins_at = time.time() + _LEAD_SECONDS
        for number in range(rate * (WARM_UP_SECONDS + seconds)):
            at = begins_at + number / rate
            await due.configure(schedule_at=datetime.fromtimestamp(at, UTC)).defer_async(at=at)
        if time.time() > begins_at:
            raise CannotCompare("Deferring the jobs took longer than the time until the first was due.")
        counted_from = begins_at + WARM_UP_SECONDS
        worker = asyncio.create_task(app.run_worker_async(concurrency=threads, install_signal_handlers=False))
        await asyncio.sleep(counted_from + seconds + _POLL_SECONDS + 1 - time.time())
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    return percentiles(late, expected=rate * seconds)


def idle(*, jobs: int, threads: int) -> dict[str, Any]:
    raise CannotCompare("Its schedules are code, not rows: there are not so many to start with.")


def _app() -> Any:
    import procrastinate

    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))
