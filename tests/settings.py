"""The project's settings, and an app whose tasks the tests run: also in child processes and other nodes."""

from __future__ import annotations

from openlearn.settings import *  # noqa: F403
from openlearn.settings import INSTALLED_APPS as _INSTALLED_APPS

INSTALLED_APPS = [*_INSTALLED_APPS, "tests.sample_app"]

TASKS = {
    "default": {
        "BACKEND": "scheduler.contrib.django_tasks.LedgerBackend",
        "QUEUES": ["default", "mail", "bulk"],
    },
}
