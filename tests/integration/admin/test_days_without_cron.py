"""Schedules for people without cron: the parts of the form, the trigger that they make, and the parts again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.admin.fields import days_parts
from scheduler.admin.fields.trigger_field import TriggerField
from scheduler.admin.fields.trigger_parts import Typed, taken_apart
from scheduler.core import triggers
from scheduler.models import Job
from tests.integration.admin.test_job_form import PREVIEW, send
from tests.integration.admin.test_jobs import errors, page

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ZONE = "Europe/Berlin"


def stored(**parts: Any) -> dict[str, Any]:
    """What is stored for the parts of the form."""
    typed = Typed({"kind": "days", "timezone": ZONE} | parts)
    return triggers.normalize(TriggerField().clean(typed), now=NOW)


TIMETABLES = [
    ({"times": "08:00, 14:30"}, "at 08:00 and 14:30 every day"),
    ({"times": "08:00,08:30,14:00,14:30"}, "at 08:00, 08:30, 14:00 and 14:30 every day"),
    (
        {"times": "8:00 14:30 20:00", "weekdays": ["mon", "fri"], "months": ["jan"]},
        "at 08:00, 14:30 and 20:00 every Monday and Friday in January",
    ),
    ({"on": "dates", "dates": "15 1 last", "times": "9:00"}, "at 09:00 on the 1st, 15th and last day of every month"),
    ({"on": "dates", "dates": "10-12", "times": "9:00"}, "at 09:00 on the 10th to 12th of every month"),
    (
        {"on": "position", "position": "1", "weekday": "mon", "times": "09:00, 10:15"},
        "at 09:00 and 10:15 on the first Monday of the month",
    ),
    (
        {"on": "position", "position": "last", "weekday": "fri", "times": "17:00"},
        "at 17:00 on the last Friday of the month",
    ),
    (
        {"on": "position", "position": "1", "weekday": "workday", "times": "17:00"},
        "at 17:00 on the first weekday of every month",
    ),
    (
        {"on": "position", "position": "last", "weekday": "workday", "times": "17:00"},
        "at 17:00 on the last weekday of every month",
    ),
    ({"on": "quarter", "times": "06:00"}, "at 06:00 on the last day of March, June, September and December"),
    (
        {"weeks": "2", "weekdays": ["mon", "thu"], "times": "08:00"},
        "every 2 weeks on Monday and Thursday at 08:00",
    ),
    (
        {"weeks": "2", "weekdays": ["mon"], "week_of": "2026-12-02", "times": "08:00, 9:30"},
        "every 2 weeks on Monday at 08:00 and 09:30",
    ),
]


class TestATimetable:
    @pytest.mark.parametrize(("parts", "sentence"), TIMETABLES)
    def test_is_said_in_words_and_shown_again_as_it_was_typed(self, parts: dict[str, Any], sentence: str) -> None:
        trigger = stored(**parts)

        again = taken_apart(trigger)

        assert triggers.describe(trigger) == f"{sentence}, {ZONE}"
        assert again["kind"] == "days"
        assert triggers.normalize(TriggerField().clean(again), now=NOW) == trigger

    @given(
        times=st.sets(st.tuples(st.integers(0, 23), st.integers(0, 59)), min_size=1, max_size=4),
        days=st.one_of(
            st.fixed_dictionaries({"weekdays": st.lists(st.sampled_from(list(days_parts.WEEKDAYS)), unique=True)}),
            st.fixed_dictionaries(
                {"on": st.just("dates"), "dates": st.sampled_from(["1", "28", "1, 15, last", "2-9, 30", "last"])}
            ),
            st.fixed_dictionaries(
                {
                    "on": st.just("position"),
                    "position": st.sampled_from(list(days_parts.POSITIONS)),
                    "weekday": st.sampled_from(list(days_parts.WEEKDAYS)),
                }
            ),
            st.just({"on": "quarter"}),
        ),
        months=st.lists(st.sampled_from(days_parts.MONTHS), max_size=3, unique=True),
        end=st.sampled_from(["", "2030-01-01T00:00:00"]),
    )
    @settings(max_examples=60, deadline=None)
    def test_stays_the_same_when_the_form_is_saved_again(
        self, times: set[tuple[int, int]], days: dict[str, Any], months: list[str], end: str
    ) -> None:
        week = {"weekdays": [day for day in days_parts.WEEKDAYS if day in days.get("weekdays", ())]}
        said = ", ".join(f"{hour}:{minute:02}" for hour, minute in times)
        trigger = stored(
            **{**days, **week}, times=said, months=[m for m in days_parts.MONTHS if m in months], end_at=end
        )

        again = taken_apart(trigger)

        assert triggers.normalize(TriggerField().clean(again), now=NOW) == trigger

    def test_fires_at_each_of_its_times(self) -> None:
        found = triggers.next_fire_times(stored(times="08:00, 14:30", weekdays=["fri"]), after=NOW, count=3)

        assert [f"{at:%a %H:%M}" for at in found] == ["Fri 07:00", "Fri 13:30", "Fri 07:00"]

    def test_of_every_other_week_begins_in_the_week_that_was_named(self) -> None:
        trigger = stored(weeks="2", weekdays=["mon", "thu"], week_of="2026-12-02", times="08:00")

        found = triggers.next_fire_times(trigger, after=NOW, count=4)

        assert [at.date().isoformat() for at in found] == ["2026-11-30", "2026-12-03", "2026-12-14", "2026-12-17"]

    @pytest.mark.parametrize(
        "trigger",
        [
            {"type": "or", "triggers": [{"type": "interval", "days": 1}, {"type": "cron", "expression": "0 8 * * *"}]},
            {
                "type": "or",
                "triggers": [
                    {"type": "cron", "expression": "0 8 * * *", "timezone": "UTC"},
                    {"type": "cron", "expression": "30 9 * * *", "timezone": ZONE},
                ],
            },
            {
                "type": "or",
                "triggers": [
                    {"type": "cron", "expression": "0 8 * * *", "end_at": "2031-01-01"},
                    {"type": "cron", "expression": "30 9 * * *"},
                ],
            },
            {"type": "cron", "expression": "0 8 1 * mon"},
        ],
    )
    def test_is_not_made_of_a_trigger_that_says_more(self, trigger: dict[str, Any]) -> None:
        assert taken_apart(triggers.normalize(trigger, now=NOW))["kind"] in ("json", "cron")


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        ("parts", "sentence"),
        [
            ({"times": "8am"}, "“8am” is not a time of day. Use the 24-hour clock"),
            ({"times": ""}, "Enter a time of day such as 14:30"),
            ({"on": "dates", "dates": "32", "times": "8:00"}, "“32” is not a date of a month"),
            ({"on": "dates", "dates": "first", "times": "8:00"}, "Write numbers and “last”"),
            ({"on": "dates", "dates": "", "times": "8:00"}, "Enter one or more dates"),
            ({"on": "position", "position": "3", "weekday": "workday", "times": "8:00"}, "only the first and the last"),
            ({"on": "position", "position": "9", "times": "8:00"}, "Choose which weekday"),
            ({"weeks": "0", "times": "8:00"}, "Weeks: “0” is not a whole number"),
            ({"weeks": "2", "week_of": "soon", "times": "8:00"}, "First week: “soon” is not a date"),
            ({"weeks": "2", "months": ["jan"], "times": "8:00"}, "choose no months"),
            ({"times": "8:00", "jitter_seconds": "a while"}, "“a while” is not a duration"),
        ],
    )
    def test_is_named_with_its_cure(self, parts: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ValidationError) as caught:
            stored(**parts)

        assert sentence in " ".join(caught.value.messages)

    def test_takes_the_last_day_in_the_readers_language(self) -> None:
        with translation.override("es"):
            trigger = stored(on="dates", dates=f"1 {translation.pgettext('date of a month', 'last')}", times="8:00")

        assert trigger["expression"] == "0 8 1,L * *"


@pytest.mark.django_db
class TestTheForm:
    def test_says_what_it_understood(self, client: Client) -> None:
        parts = {"trigger-kind": "days", "trigger-times": "08:00, 14:30", "trigger-timezone": "UTC"}

        text = client.post(PREVIEW, parts).content.decode()

        assert "At 08:00 and 14:30 every day, UTC" in text

    def test_saves_several_times_and_shows_them_again(self, client: Client) -> None:
        response = send(client, trigger__kind="days", trigger__times="08:00, 14:30", new_id="nightly")

        assert response.status_code == 302, errors(response)
        text = client.get(page("nightly")).content.decode()
        assert 'value="08:00, 14:30"' in text
        assert Job.objects.get().trigger["type"] == "or"

    def test_takes_durations_as_people_write_them(self, client: Client) -> None:
        response = send(
            client, timeout="1 h 30 min", misfire_grace_time="2 h", retry_delay="90 s", trigger__jitter_seconds="2 min",
            new_id="nightly",
        )  # fmt: skip

        assert response.status_code == 302, errors(response)
        job = Job.objects.get()
        assert (job.timeout, job.misfire_grace_time, job.retry_delay) == (5400, 7200, 90)
        assert job.trigger["jitter_seconds"] == 120
        text = client.get(page("nightly")).content.decode()
        for said in ("1 h 30 min", "2 h", "1 min 30 s", "2 min"):
            assert f'value="{said}"' in text

    def test_names_a_duration_that_is_none(self, client: Client) -> None:
        response = send(client, timeout="soon")

        assert errors(response)["timeout"] == ["“soon” is not a duration. Write it as 90 s, 15 min, 2 h, 1 h 30 min."]
