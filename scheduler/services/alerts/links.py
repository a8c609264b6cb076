"""Addresses of pages, for people outside of the admin, and links that ask to do something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.admin.utils import quote
from django.core import signing
from django.urls import NoReverseMatch

from scheduler import conf
from scheduler.services.sites import reverse

_SALT = "scheduler.alerts.link"
_LIFE_SECONDS = 30 * 24 * 3600


def absolute(name: str, args: Sequence[Any] = ()) -> str:
    """Return the address of a page of the admin. Empty: ``SITE_URL`` is not set, or the admin is not there."""
    base = conf.get().site_url.rstrip("/")
    if not base:
        return ""
    try:
        return base + reverse(name, args)
    except NoReverseMatch:
        return ""


def job(id: str) -> str:
    return absolute("admin:scheduler_job_page", [quote(id)])


def run(id: int) -> str:
    return absolute("admin:scheduler_run_change", [id])


def incident(id: int) -> str:
    return absolute("admin:scheduler_incident_change", [id])


def silence(*, thread: str) -> str:
    """Return the address of a page that asks what to do about the incidents of a message. It wants a log-in."""
    return absolute("admin:scheduler_incident_link", [signing.dumps(thread, salt=_SALT)])


def read(token: str) -> str | None:
    """Return the thread of a link. ``None``: it was changed, or is older than 30 days."""
    try:
        thread = signing.loads(token, salt=_SALT, max_age=_LIFE_SECONDS)
    except signing.BadSignature:
        return None
    return str(thread)


def domain() -> str:
    """Return the domain that messages are named after."""
    host = urlsplit(conf.get().site_url).hostname if conf.get().site_url else ""
    return host or settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
