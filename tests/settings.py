"""The project's settings, and an app whose tasks the tests run: also in child processes and other nodes."""

from __future__ import annotations

import os

from openlearn.settings import *  # noqa: F403
from openlearn.settings import INSTALLED_APPS as _INSTALLED_APPS
from openlearn.settings import SCHEDULER as _SCHEDULER
from openlearn.settings import SILENCED_SYSTEM_CHECKS as _SILENCED

INSTALLED_APPS = [*_INSTALLED_APPS, "tests.sample_app"]

# A process more for each of the many nodes that tests start within their own: only where it is asked for.
SCHEDULER = {"PACEMAKER": "SCHEDULER_PACEMAKER" in os.environ, **_SCHEDULER}

SILENCED_SYSTEM_CHECKS = [*_SILENCED, "scheduler.W011"]  # tasks of the sample app lie apart, as tests want them

# The default one takes a quarter of a second for each password.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

TASKS = {
    "default": {
        "BACKEND": "scheduler.contrib.django_tasks.LedgerBackend",
        "QUEUES": ["default", "mail", "bulk"],
    },
}
