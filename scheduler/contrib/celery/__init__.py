"""
Celery workers run bodies: ``executor="celery:QUEUE"`` on a task or a job.

Add one line where the Celery application of a project is made::

    from scheduler.contrib import celery as scheduler_celery

    scheduler_celery.setup(app)

Each worker of the application is then a worker of the scheduler as well, with a row beside the nodes. Celery receives
messages and starts and stops the process. Everything else is the scheduler's: ``scheduler.remote`` has the protocol,
``scheduler.engine.worker`` what is inside. ``bell`` sends the messages from nodes. Nothing else imports Celery.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def setup(app: Any, *, queues: Collection[str] | None = None) -> None:
    """
    Let workers of this Celery application run bodies of the scheduler.

    ``queues``: only the workers that consume one of these. Without, all workers.
    """
    from scheduler.contrib.celery.task import RunTask  # here, so that the package can be imported without Celery

    app.register_task(RunTask())
    app.steps["worker"].add("scheduler.contrib.celery.steps:Bodies")  # imported when Django is set up
    app.conf.scheduler_queues = None if queues is None else sorted(queues)
    app.add_defaults(_DEFAULTS)


_DEFAULTS = {"broker_channel_error_retry": True}
"""A RabbitMQ that starts again refuses its queues for a moment, which by Celery's own default ends a worker."""
