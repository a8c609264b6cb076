"""A plain project with the one backend of ``django.tasks`` that ``BENCHMARK_BACKEND`` names."""

from __future__ import annotations

import os

from tests.benchmarks.contestants.plain_django import database

_BACKENDS = {
    "ours": ("scheduler.contrib.django_tasks.LedgerBackend", {}),
    "ours_jobs": ("scheduler.contrib.django_tasks.LedgerBackend", {}),
    "stock": ("django.tasks.backends.dummy.DummyBackend", {}),
    "django_tasks_db": ("django_tasks_db.DatabaseBackend", {}),
    "dj_queue": (
        "dj_queue.backend.DjQueueBackend",
        {"workers": [{"queues": ["*"], "threads": int(os.environ["BENCHMARK_WORKERS"])}]},
    ),
}
_APPS = {
    "ours": ["django.contrib.postgres", "knox", "django_apscheduler", "scheduler"],
    "ours_jobs": [
        "django.contrib.postgres",
        "knox",
        "django_apscheduler",
        "scheduler",
        "tests.benchmarks.nodes",
    ],
    "stock": ["django_apscheduler"],
    "django_tasks_db": ["django_tasks_db"],
    "dj_queue": ["dj_queue"],
}
_name = os.environ["BENCHMARK_BACKEND"]
_path, _options = _BACKENDS[_name]

SECRET_KEY = "only for a benchmark"
DATABASES = {"default": database()}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    *_APPS[_name],
    "tests.benchmarks.enqueueing.app",
]
TASKS = {"default": {"BACKEND": _path, "QUEUES": [], "OPTIONS": _options}}
SCHEDULER = {"THREADS": int(os.environ["BENCHMARK_WORKERS"])}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
