"""The setting ``CRONJOBS`` of django-crontab in each of its forms."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.compat import cronjobs


def read(*entries: Any) -> list[tuple[str, dict[str, Any] | None, str]]:
    return [(each.key, each.definition, each.text) for each in cronjobs.read(entries, timezone="UTC")]


AT_NOON = {"trigger": "0 12 * * *", "timezone": "UTC"}


class TestAnEntry:
    @pytest.mark.parametrize(
        ("entry", "expected", "text"),
        [
            (("0 12 * * *", "shop.cron.work"), {"task": "shop.cron:work"}, ""),
            (["0 12 * * *", "shop.cron.work", ">> /tmp/log"], {"task": "shop.cron:work"}, "left out: >> /tmp/log"),
            (("0 12 * * *", "shop.cron.work", ["a"]), {"task": "shop.cron:work", "args": ["a"]}, ""),
            (
                ("0 12 * * *", "shop.cron.work", ["a"], {"b": 1}, "2>&1"),
                {"task": "shop.cron:work", "args": ["a"], "kwargs": {"b": 1}},
                "left out: 2>&1",
            ),
            (
                ("0 12 * * *", "django.core.management.call_command", ["dumpdata", "auth"], {"indent": 4}),
                {"task": "scheduler.call_command", "kwargs": {"name": "dumpdata", "args": ["auth", "--indent=4"]}},
                "",
            ),
        ],
    )
    def test_becomes_a_job(self, entry: Any, expected: dict[str, Any], text: str) -> None:
        [(_, definition, said)] = read(entry)

        assert (definition, said) == (AT_NOON | expected, text)

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            (("0 25 * * *", "shop.cron.work"), "25"),
            ("0 12 * * *", "An entry is a time"),
            (("0 12 * * *",), "An entry is a time"),
            (("0 12 * * *", "django.core.management.call_command"), "It calls no command."),
        ],
    )
    def test_that_cannot_become_one_is_named_and_the_others_come_over(self, entry: Any, said: str) -> None:
        first, second = read(entry, ("0 12 * * *", "shop.cron.work"))

        assert first[1] is None
        assert said in first[2]
        assert second[1] is not None

    def test_has_a_key_of_its_own(self) -> None:
        found = read(("0 12 * * *", "a.b"), ("0 13 * * *", "a.b"), ("0 14 * * *", "a.b"))

        assert [key for key, *_ in found] == ["a.b", "a.b-2", "a.b-3"]


def test_the_modules_of_functions_are_told() -> None:
    entries = [("* * * * *", "shop.cron.a"), ("* * * * *", "shop.cron.b"), ("* * * * *", "other.c")]

    assert cronjobs.modules([*entries, ("* * * * *", "django.core.management.call_command")]) == ["other", "shop.cron"]
