"""APScheduler with its SQLAlchemy job store: no history."""

from __future__ import annotations

import os
from typing import Any

from tests.benchmarks.contestants import work


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://")
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(threads)}, jobstores={"default": SQLAlchemyJobStore(url=url)}
    )
    return work.measure(scheduler, jobs=jobs)
