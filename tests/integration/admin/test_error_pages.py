"""Dead ends say what happened and lead back, in the frame of the admin; elsewhere Django answers as ever."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from scheduler.admin import addresses
from tests.integration.admin.runs import run
from tests.integration.admin.test_jobs import make


class TestErrorPages:
    def test_say_which_permission_lacks(self, login: Callable[..., Client]) -> None:
        answer = login("view_run").get(addresses.job("nightly"))

        assert answer.status_code == 403
        assert "Ask an administrator" in answer.content.decode()

    def test_say_why_a_run_is_gone(self, client: Client) -> None:
        answer = client.get(addresses.run(2**40))

        text = answer.content.decode()
        assert answer.status_code == 404
        assert ("There is no run #1099511627776." in text, "Runs are deleted 30 days" in text) == (True, True)
        assert addresses.runs() in text

    def test_lead_from_a_job_that_is_gone_to_its_history(self, client: Client) -> None:
        answer = client.get(addresses.job("gone"))

        assert (answer.status_code, addresses.changes() in answer.content.decode()) == (404, True)

    def test_say_what_a_stale_form_means_and_change_nothing(self, login: Callable[..., Client]) -> None:
        shown = run(job=make())
        client = Client(enforce_csrf_checks=True)
        client.cookies = login().cookies

        answer = client.post(reverse("admin:scheduler_run_retry", args=[shown.pk]), {"confirmed": "1"})

        text = answer.content.decode()
        assert (answer.status_code, "This page was opened before you logged in" in text) == (403, True)
        assert "DEBUG" not in text

    def test_are_djangos_outside_of_the_admin(self, client: Client) -> None:
        answer = client.get("/nowhere")

        assert (answer.status_code, "ols-sentence" in answer.content.decode()) == (404, False)
