"""What an error of this project says is stored as data beside its text, and told in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from scheduler.admin import addresses
from scheduler.models import Run
from scheduler.services.runs import enqueueing
from scheduler.testing import drain


@pytest.fixture
def spanish(settings: Any) -> None:
    settings.LANGUAGE_CODE = "es"
    translation.activate("es")


def fail(**kwargs: Any) -> Run:
    enqueueing.enqueue(task="scheduler.http_request", kwargs=kwargs)
    (run,) = drain()
    return run


@pytest.mark.django_db(transaction=True)
class TestAnErrorOfARequest:
    def test_is_stored_as_code_and_parameters(self) -> None:
        run = fail(url="http://10.0.0.1/")

        assert run.state == "failed"
        assert run.error is not None
        assert run.error.startswith("DestinationRefused: 10.0.0.1 is refused: it is a private address.")
        assert run.reason_code == "address_refused"
        assert run.failure == run.error.removeprefix("DestinationRefused: ")

    def test_is_told_in_spanish(self, spanish: None) -> None:
        run = fail(url="http://10.0.0.1/")
        client = Client()
        client.force_login(User.objects.create_superuser("anna"))

        page = client.get(addresses.run(run.pk)).content.decode()
        listed = client.get(addresses.runs(tab="failed")).content.decode()

        for text in (page, listed):
            assert "dirección privada" in text
            assert "is refused" not in text.partition("Traceback")[0]

    def test_never_holds_a_secret(self) -> None:
        run = fail(url="http://10.0.0.1/", token="10.0.0.1")

        assert run.error is not None
        assert "10.0.0.1" not in run.error
        assert (run.reason_code, run.reason_params) == ("", None)
