"""The settings of the tests, with a Valkey that delivers again what was not acknowledged within two seconds."""

from __future__ import annotations

from tests.settings import *  # noqa: F403

SECONDS = 2

CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": SECONDS, "unacked_restore_interval": 1}
