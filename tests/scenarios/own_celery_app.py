"""The Celery application of somebody's project, with a task of its own and the one line for the scheduler."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

from scheduler.contrib import celery as scheduler_celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
scheduler_celery.setup(app)


@app.task(name="shop.note")
def note(path: str) -> None:
    """Leave the number of the process behind."""
    Path(path).write_text(f"{os.getpid()}")
