"""Preparations for the first run: tables, a user, sources and jobs. Every step is idempotent."""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model

from openlearn.scraping import seeds
from scheduler.services import retention

ADMIN = "admin"


def create_admin() -> str | None:
    """Create the user ``admin`` with a random password and return it, or ``None`` if the user exists."""
    users = get_user_model().objects
    if users.filter(username=ADMIN).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(ADMIN, password=password)
    return password


def seed(*, base_url: str) -> None:
    """Create the missing sources and jobs. Those of the sample site move to ``base_url``."""
    seeds.seed_sample(base_url=base_url)
    seeds.seed_public_sources()
    retention.schedule_clean_up()
