"""Runs and nodes as the tests of pages want them, and how a person comes to their pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.core.states import RunState
from scheduler.models import Node, Run

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/scheduler/execution/runner.py", line 73, in _call
    value = function()
  File "/srv/shop.py", line 118, in scrape
    client.get(url)
  File "/srv/.venv/lib/python3.11/site-packages/httpx/_client.py", line 1054, in get
    raise ValueError
ValueError: <i>
"""


def run(**values: Any) -> Run:
    at = values.pop("at", timezone.now())
    values = {"state": RunState.SUCCEEDED, "started_at": at, "finished_at": at + timedelta(seconds=3), **values}
    return Run.objects.create(
        **{
            "job_key": "nightly",
            "job_name": "Nightly cleaning",
            "task": "scheduler.cleanup_jobs",
            "scheduled_at": at,
            "due_at": at,
            "created_at": at,
            "executor": "default",
            **values,
        }
    )


def node(**values: Any) -> Node:
    now = timezone.now()
    return Node.objects.create(
        **{"name": "web-2", "host": "h", "pid": 1, "version": "1", "started_at": now, "heartbeat_at": now, **values}
    )


def page(run: Run) -> str:
    return reverse("admin:scheduler_run_change", args=[run.pk])


def action(name: str, run: Run) -> str:
    return reverse(f"admin:scheduler_run_{name}", args=[run.pk])


def yes(client: Client, address: str, **answer: str) -> Any:
    return client.post(address, {"confirmed": uuid4().hex, **answer})
