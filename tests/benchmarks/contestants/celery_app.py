"""The Celery application of ``celery_worker``: its broker is ``BENCHMARK_BROKER``, its results are in the database."""

from __future__ import annotations

import os

from celery import Celery

from tests.benchmarks.contestants import plain_django, work

plain_django.setup("django_celery_beat", "django_celery_results", DJANGO_CELERY_BEAT_TZ_AWARE=True)

app = Celery("benchmark", broker=os.environ["BENCHMARK_BROKER"], backend="django-db")
app.conf.update(
    timezone="UTC", beat_sync_every=0, result_extended=False, worker_prefetch_multiplier=100, task_track_started=False
)
nothing = app.task(name="nothing")(work.nothing)
note = app.task(name="note")(work.note)
