"""The processes that a quickstart starts, and what each of them is told. They inherit the address of the broker."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from django.conf import settings

from openlearn.quickstart import broker, site
from openlearn.quickstart.processes import Child

QUEUE = "scrape"
EXECUTOR = f"celery:{QUEUE}"

_PLACES = 2


def log_of(name: str) -> Path:
    """Return the file with what a process prints. A ``*`` names all of them."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    return Path(settings.DATA_DIR / f"{name}.log")


def web(*, listener: socket.socket, site_url: str) -> Child:
    """Serve what comes in on a port that is taken already."""
    command = [sys.executable, "-m", "gunicorn", "--config", "python:openlearn.gunicorn"]
    return Child(
        name="web",
        command=[*command, "--bind", f"fd://{listener.fileno()}", "--workers", "1", "openlearn.wsgi"],
        log=log_of("web"),
        inherited=(listener.fileno(),),
        environment={
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
            "SCHEDULER_SITE_URL": site_url,
        },
    )


def node(*, port: int, site_url: str) -> Child:
    return Child(
        name="node",
        command=[sys.executable, str(settings.BASE_DIR / "manage.py"), "runscheduler"],
        log=log_of("node"),
        environment={
            **_may_scrape_here(port),
            "SCHEDULER_SITE_URL": site_url,
            "ENABLE_SCHEDULER": "1",
        },
    )


def valkey(*, port: int) -> Child:
    """:raises broker.NoServer: there is none on this machine"""
    folder = settings.DATA_DIR / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    return Child(name="broker", command=broker.command(port=port, folder=folder), log=log_of("broker"), environment={})


def worker(*, port: int) -> Child:
    command = [sys.executable, "-m", "celery", "-A", "openlearn", "--workdir", str(settings.BASE_DIR), "worker"]
    return Child(
        name="worker",
        command=[*command, "-Q", QUEUE, "--concurrency", f"{_PLACES}"],
        log=log_of("worker"),
        environment={
            **_may_scrape_here(port),
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        },
    )


def _may_scrape_here(port: int) -> dict[str, str]:
    """The sample site is on this machine, which scrapes may not reach otherwise."""
    allowed = (*settings.SCHEDULER.get("ALLOWED_HOSTS", ()), f"{site.HOST}:{port}")
    return {"SCHEDULER_ALLOWED_HOSTS": ",".join(allowed)}
