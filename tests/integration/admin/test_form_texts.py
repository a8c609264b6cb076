"""What the form says in each case that people run into: the value, the reason, and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.integration.admin.test_job_form import PREVIEW, send
from tests.integration.admin.test_jobs import errors

CRON = {"trigger__kind": "cron", "trigger__timezone": "Europe/Berlin"}
EVERY_HOUR = {
    "trigger-kind": "every",
    "trigger-number": "1",
    "trigger-unit": "hours",
    "trigger-timezone": "Europe/Berlin",
}
NICKNAMES = "Use @hourly, @daily, @weekly, @monthly, @yearly."
FIELDS = "minute, hour, day of month, month, day of week."
LATER = {"trigger__start_at": "2031-01-22T14:00", "trigger__end_at": "2031-02-22T14:00"}
CASES = [
    (
        {**CRON, "trigger__expression": "0 2 * *"},
        "trigger",
        f"“0 2 * *” has 4 parts, a cron expression has 5: {FIELDS}",
    ),
    ({**CRON, "trigger__expression": "0 25 * * *"}, "trigger", "Hour “25”: allowed are 0 to 23."),
    ({**CRON, "trigger__expression": "0 0 31 2 *"}, "trigger", "This never runs: 31 February does not exist."),
    (
        {**CRON, "trigger__expression": "@reboot"},
        "trigger",
        f"“@reboot” is not supported: a schedule does not start with the machine. {NICKNAMES}",
    ),
    ({"trigger__timezone": "CEST"}, "trigger", "“CEST” is not a time zone. Choose a region such as Europe/Berlin."),
    (
        {"trigger__kind": "once", "trigger__run_at": "2026-01-22T14:00"},
        "trigger",
        "22 Jan 2026, 14:00 in Europe/Berlin is over (now ",
    ),
    (
        {**CRON, "trigger__expression": "0 2 1 7 *", **LATER},
        "trigger",
        "It ends before its first run (1 Jul 02:00).",
    ),
    ({"trigger__number": "0"}, "trigger", "hours: 0 is too short."),
    ({"kwargs__value__days": "many"}, "kwargs", "days: “many” is not a whole number."),
    ({"task": "scheduler.http_request"}, "kwargs", "url is required by scheduler.http_request."),
    (
        {"kwargs__mode": "json", "kwargs": '{"day": 3}'},
        "kwargs",
        "scheduler.cleanup_jobs has no argument “day”. Did you mean “days”?",
    ),
    ({"executor": "gpu"}, "executor", "There is no executor “gpu”. Available: default, processpool"),
    ({"timeout": "-3"}, "timeout", "Time limit is “-3.0”. It must be a number from 0.1 to 31,536,000."),
    ({"task": "gone.away"}, "task", "Unknown task “gone.away”."),
]


class TestTexts:
    @pytest.mark.parametrize(("parts", "field", "sentence"), CASES)
    def test_name_the_value_and_the_reason(
        self, client: Client, parts: dict[str, Any], field: str, sentence: str
    ) -> None:
        response = send(client, **parts)

        said = " ".join(errors(response)[field])
        assert said.startswith(sentence)

    def test_are_the_same_in_the_preview(self, client: Client) -> None:
        """The preview and the form ask one parser, so that nothing is found wrong only after saving."""
        for parts, field, sentence in CASES:
            if field == "trigger":
                typed = {
                    "trigger-kind": "every",
                    "trigger-number": "1",
                    "trigger-unit": "hours",
                    "trigger-timezone": "Europe/Berlin",
                }
                sent = typed | {name.replace("__", "-"): value for name, value in parts.items()}
                assert client.post(PREVIEW, sent).context["problem"].startswith(sentence)

    @pytest.mark.parametrize(
        ("rules", "warning"),
        [
            ({"timeout": "60"}, "Runs can take longer (1 min) than the interval (1 s), so some may be skipped."),
            ({"timeout": "60", "overlap": "queue"}, "so some may wait for each other."),
            ({"timeout": "60", "max_instances": "2"}, ""),
            ({"timeout": "0.5"}, ""),
            ({"timeout": "x"}, ""),
        ],
    )
    def test_warn_of_runs_that_overlap(self, client: Client, rules: dict[str, str], warning: str) -> None:
        typed = {"trigger-kind": "every", "trigger-number": "1", "trigger-unit": "seconds"}

        said = client.post(PREVIEW, {**typed, **rules, "task": "scheduler.cleanup_jobs"}).context["warning"]

        assert (warning in said, bool(said)) == (True, bool(warning))
