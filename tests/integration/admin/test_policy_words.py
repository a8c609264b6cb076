"""The rules of a job in words: the same on its page, in its form while it is typed, and in its history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from scheduler.admin import addresses
from scheduler.admin.format import display
from scheduler.services import jobs
from tests.integration.admin.test_job_form import PREVIEW, send
from tests.integration.admin.test_jobs import ADD, make, page

TYPED = {
    "trigger-kind": "every",
    "trigger-number": "1",
    "trigger-unit": "hours",
    "executor": "",
    "priority": "0",
    "coalesce": "on",
    "max_instances": "1",
    "misfire_grace_time": "300",
    "overlap": "skip",
    "timeout": "",
    "max_retries": "0",
    "retry_delay": "30",
    "retry_backoff": "2",
    "retry_delay_cap": "3600",
    "retry_jitter": "0.1",
    "pause_after_failures": "",
    "rerun_if_interrupted": "unknown",
}


def typed(client: Client, **changes: Any) -> dict[str, Any]:
    """What the preview says of a form as it stands there; ``None`` takes a field away."""
    sent = {name: value for name, value in {**TYPED, **changes}.items() if value is not None}
    return client.post(PREVIEW, sent).context.flatten()


class TestTheRules:
    def test_stand_in_the_form_before_anybody_typed(self, client: Client) -> None:
        text = client.get(ADD).content.decode()

        assert "If a run is still active: skip. After downtime: run once, unless more than 5 min late." in text
        assert "If the node crashes: set by the task. Executor: set by the task; priority 0." in text

    def test_follow_what_is_typed(self, client: Client) -> None:
        said = typed(
            client, max_instances="3", overlap="queue", coalesce=None, misfire_grace_time="", max_retries="3",
            retry_delay="90", timeout="5400", pause_after_failures="5", rerun_if_interrupted="false", priority="7",
            executor="processpool",
        )["rules"]  # fmt: skip

        assert said == (
            "Up to 3 runs at once. Beyond that: queue one more. "
            "After downtime: run each one, however late. "
            "3 retries, the first after 1 min 30 s, up to 1 h apart. "
            "Time limit: 1 h 30 min. "
            "Paused after 5 failures in a row. "
            "If the node crashes: do not run again. "
            "Executor: “processpool”; priority 7."
        )

    def test_leave_to_the_task_what_is_not_said(self, client: Client) -> None:
        said = typed(client, task="scheduler.cleanup_jobs")["rules"]

        assert "If the node crashes: run again. Executor: “default”; priority 0." in said
        assert "set by the task" in said

    def test_are_those_of_the_page_once_they_are_saved(self, client: Client) -> None:
        said = typed(client, task="scheduler.cleanup_jobs", max_retries="2")["rules"]

        send(client, new_id="same", coalesce="on", misfire_grace_time="300", max_retries="2")

        assert " ".join(client.get(addresses.job("same")).context["policies"]) == said

    def test_stand_in_a_form_that_was_refused(self, client: Client) -> None:
        text = send(client, name="x", max_retries="4", trigger__number="x").content.decode()

        assert "4 retries, the first after 30 s" in text

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"max_instances": "many"}, "Parallel runs: Enter a whole number."),
            ({"max_instances": "0"}, "Parallel runs is “0”. It must be a whole number from 1 to 10,000."),
            ({"overlap": "burst"}, "If a run is still active: Select a valid choice."),
            ({"timeout": "<b>"}, "Time limit: “<b>” is not a duration."),
        ],
    )
    def test_say_which_value_is_wrong(self, client: Client, changes: dict[str, str], sentence: str) -> None:
        said = typed(client, **changes)

        assert (sentence in said["rules_problem"], "rules" in said) == (True, False)

    def test_are_only_said_of_a_form_that_has_them(self, client: Client) -> None:
        assert "data-rules" not in client.post(PREVIEW, {"trigger-kind": "every"}).content.decode()

    def test_take_any_value_that_an_address_proposes(self, client: Client) -> None:
        text = client.get(ADD, {"timeout": "soon", "max_instances": "2"}).content.decode()

        assert "Time limit: “soon” is not a duration." in text

    def test_are_named_and_chosen_in_words(self, client: Client) -> None:
        new, text = client.get(ADD).content.decode(), ""
        make()
        text = client.get(page("nightly")).content.decode()

        assert '<option value="unknown" selected>set by the task</option>' in new
        for part in ("If a run is still active", ">queue one run</option>"):
            assert (part in new, part in text) == (True, True)
        assert "Rerun if the node crashes</label>" in text

    def test_are_in_words_in_the_history_too(self, client: Client) -> None:
        job = make()
        jobs.update(job=job, overlap="queue", rerun_if_interrupted=False)

        newest = client.get(addresses.job("nightly")).context["changes"][0]

        assert {(each["label"], each["old"], each["new"]) for each in newest["differences"]} == {
            ("If a run is still active", "skip this run", "queue one run"),
            ("Rerun if the node crashes", "yes", "no"),
        }


class TestALengthThatSomebodyChose:
    @pytest.mark.parametrize(
        ("length", "text"),
        [
            (0, "0 s"),
            (0.5, "0.5 s"),
            (30.0, "30 s"),
            (90, "1 min 30 s"),
            (300, "5 min"),
            (3600, "1 h"),
            (timedelta(days=2, minutes=1), "2 days 1 min"),
        ],
    )
    def test_is_said_exactly(self, length: Any, text: str) -> None:
        assert display.exactly(length) == text
