"""The settings of the tests, with a Valkey that delivers again what was not acknowledged within five seconds."""

from __future__ import annotations

from tests.settings import *  # noqa: F403

CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 5}
