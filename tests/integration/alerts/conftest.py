from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.test import override_settings

from scheduler.models import Channel, Incident, Mute, Notification, Rule
from scheduler.store.sessions.connections import Connection
from tests.receivers import MailServer, WebhookReceiver


@pytest.fixture
def session(transactional_db: None) -> Iterator[Connection]:
    """A session as nodes have it, on tables without the rules that an installation begins with."""
    for model in (Notification, Incident, Mute, Rule, Channel):
        model.objects.all().delete()
    connection = Connection(purpose="test")
    yield connection
    connection.close()


@pytest.fixture
def node() -> str:
    return str(uuid4())


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with (
        WebhookReceiver() as receiver,
        override_settings(
            SCHEDULER={"ALLOWED_HOSTS": [receiver.host], "SITE_URL": "https://jobs.example.org", "ENVIRONMENT": "test"}
        ),
    ):
        yield receiver


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server, override_settings(**server.settings, DEFAULT_FROM_EMAIL="scheduler@example.org"):
        yield server
