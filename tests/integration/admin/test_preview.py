"""The preview beside the form of a job: in words, and when it would fire."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from scheduler.admin.format.display_zone import COOKIE
from tests.integration.admin.test_job_form import ARGUMENTS, PREVIEW


class TestPreview:
    def test_says_in_words_and_lists_what_the_engine_will_do(self, client: Client) -> None:
        parts = {"trigger-kind": "cron", "trigger-expression": "0 3 13 * fri", "trigger-timezone": "Europe/Berlin"}

        context = client.post(PREVIEW, parts).context

        assert "cron runs when either matches" in context["sentence"]
        assert len(context["rows"]) == 8
        assert context["rows"][0]["offset"].startswith("UTC+0")
        assert context["zone"] == "Europe/Berlin"

    def test_says_in_which_months(self, client: Client) -> None:
        parts = {"trigger-kind": "days", "trigger-months": ["jan", "jul"], "trigger-times": "6:00"}

        context = client.post(PREVIEW, parts).context

        assert context["sentence"] == "At 06:00 every day in January and July, UTC"
        assert {row["local"].split()[2] for row in context["rows"]} <= {"Jan", "Jul"}

    def test_marks_where_clocks_change(self, client: Client) -> None:
        parts = {"trigger-kind": "cron", "trigger-expression": "0 3 1 */3 *", "trigger-timezone": "Europe/Berlin"}

        notes = {row["note"] for row in client.post(PREVIEW, parts).context["rows"]}

        assert {"clocks have changed: UTC+01:00", "clocks have changed: UTC+02:00"} <= notes

    @pytest.mark.parametrize(
        ("expression", "note"),
        [
            ("30 2 * 3 sunl", "clocks go forward: 02:30 does not exist, runs at 03:00"),
            ("30 2 * 10 sunl", "clocks go back: 02:30 comes twice, runs the first time only"),
        ],
    )
    def test_explains_the_hours_in_which_clocks_change(self, client: Client, expression: str, note: str) -> None:
        parts = {"trigger-kind": "cron", "trigger-expression": expression, "trigger-timezone": "Europe/Berlin"}

        response = client.post(PREVIEW, parts)

        assert {row["note"] for row in response.context["rows"]} == {note}
        assert response.content.decode().count("once saved") == 1

    def test_explains_a_time_that_the_clock_change_skips(self, client: Client) -> None:
        parts = {"trigger-kind": "once", "trigger-run_at": "2090-03-26T02:30", "trigger-timezone": "Europe/Berlin"}

        (row,) = client.post(PREVIEW, parts).context["rows"]

        assert row["note"] == "clocks go forward: 02:30 does not exist, runs at 03:00"

    def test_tells_the_times_on_the_pages_clock_as_well(self, client: Client) -> None:
        parts = {"trigger-kind": "cron", "trigger-expression": "0 2 10 1 *", "trigger-timezone": "Europe/Berlin"}

        at_home = client.post(PREVIEW, parts | {"trigger-timezone": settings.TIME_ZONE}).context["rows"]
        client.cookies[COOKIE] = "America/New_York"
        away = client.post(PREVIEW, parts).context["rows"]

        assert {row["mine"] for row in at_home} == {""}
        assert all(row["mine"].endswith(" 9 Jan 20:00 America/New_York") for row in away)

    @pytest.mark.parametrize("expression", ["0 0 31 2 *", "61 * * * *", "* *", "@reboot", "<b>", "\x00"])
    def test_explains_what_can_never_run(self, client: Client, expression: str) -> None:
        response = client.post(PREVIEW, {"trigger-kind": "cron", "trigger-expression": expression})

        assert (response.status_code, bool(response.context["problem"])) == (200, True)
        assert "<b>" not in response.content.decode()

    def test_is_for_those_who_may_save(self, login: Callable[..., Client]) -> None:
        client = login("view_job", "run_job")

        assert (client.post(PREVIEW, {}).status_code, client.post(ARGUMENTS, {}).status_code) == (403, 403)

    def test_answers_to_post_only(self, client: Client) -> None:
        assert (client.get(PREVIEW).status_code, client.get(ARGUMENTS).status_code) == (405, 405)
