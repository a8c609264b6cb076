"""
The Celery application, for workers that run bodies: ``celery -A openlearn worker -Q scrape``.

Only Celery imports this module. Nodes and the web work without it.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

from scheduler.contrib import celery as scheduler_celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openlearn.settings")


@signals.setup_logging.connect
def keep_logging(**options: Any) -> None:
    """Leave logs as LOG_FORMAT and LOG_LEVEL say: with a receiver, Celery makes no handlers."""


app = Celery("openlearn")
app.config_from_object("django.conf:settings", namespace="CELERY")
scheduler_celery.setup(app)
