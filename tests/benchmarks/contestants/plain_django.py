"""Django with nothing but what a contestant asks for, on ``DATABASE_URL`` and Django's own backend."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit


def database() -> dict[str, Any]:
    url = urlsplit(os.environ["DATABASE_URL"])
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": url.username,
        "HOST": url.hostname,
        "PORT": url.port,
        "CONN_MAX_AGE": None,
    }


def setup(*apps: str, **more: Any) -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="only for a benchmark",
        DATABASES={"default": database()},
        INSTALLED_APPS=["django.contrib.contenttypes", *apps],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        **more,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    connections.close_all()  # a process that is forked off must not share them
