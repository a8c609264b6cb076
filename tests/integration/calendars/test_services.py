"""Calendars: what is accepted, what follows a change, and what is refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.core import triggers
from scheduler.core.states import JobState, Via
from scheduler.errors import (
    CalendarInUse,
    CalendarNotFound,
    InvalidCalendar,
    InvalidName,
    InvalidTrigger,
    NameTaken,
    NeverFires,
    StaleVersion,
)
from scheduler.models import Calendar, CalendarVersion, Change, Job
from scheduler.services import calendars, jobs

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 12, 21, 12, tzinfo=UTC)  # a Monday
DAILY = {"type": "cron", "expression": "0 9 * * *", "timezone": "UTC"}
CHRISTMAS = "2026-12-24..2026-12-26 Christmas"


def a_job(id: str = "job", **trigger: Any) -> Job:
    return jobs.create(id=id, task="governed.have_nothing_to_do", trigger={**DAILY, **trigger}, now=NOW)


class TestACalendar:
    def test_is_stored_with_its_holidays(self) -> None:
        made = calendars.create(name="germany", rules="holidays DE-BY\n\n# more\nsat-sun   Weekend\n", actor="anna")

        assert made.rules == ["holidays DE-BY", "# more", "sat-sun Weekend"]
        assert ["2026-10-03", "Tag der Deutschen Einheit"] in made.holidays
        assert (made.version, made.created_by, made.updated_by) == (1, "anna", "anna")

    def test_is_not_changed_by_what_is_the_same(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])

        again = calendars.update(calendar=made, rules=CHRISTMAS)

        assert again.version == 1
        assert CalendarVersion.objects.count() == 1

    def test_keeps_its_history(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS], actor="anna", via=Via.ADMIN)
        calendars.update(calendar=made, title="Christmas", actor="ben")
        calendars.remove(calendar=calendars.get(name="xmas"), actor="carl")

        said = [(each.action, each.actor, sorted(each.changes)) for each in calendars.changes_of(name="xmas")]
        assert [each[:2] for each in said] == [("deleted", "carl"), ("edited", "ben"), ("created", "anna")]
        assert said[1][2] == ["title"]

    @pytest.mark.parametrize(
        ("given", "field", "said"),
        [
            ({"name": "Über uns"}, "name", "lower case"),
            ({"name": ""}, "name", "lower case"),
            ({"rules": []}, "rules", "empty"),
            ({"rules": "# nothing"}, "rules", "empty"),
            ({"rules": 7}, "rules", "texts"),
            ({"rules": ["sometimes"]}, "rules", "Line 1: “sometimes”"),
            ({"rules": ["2026-02-30"]}, "rules", "“2026-02-30” does not exist"),
            ({"rules": ["02-30"]}, "rules", "“02-30” does not exist"),
            ({"rules": ["0001-01-01"]}, "rules", "from 1900 to 9000"),
            ({"rules": ["9999-12-31"]}, "rules", "from 1900 to 9000"),
            ({"rules": ["2026-12-26..2026-12-24"]}, "rules", "ends before"),
            ({"rules": ["2026-12-24 10:00..2026-12-24 10:00"]}, "rules", "ends before"),
            ({"rules": ["sun 04:00-04:00"]}, "rules", "ends before"),
            ({"rules": ["sun 25:00-26:00 x"]}, "rules", ""),
            ({"rules": ["holidays XX"]}, "rules", "“XX” is not a known country"),
            ({"rules": ["holidays DE-ZZ"]}, "rules", "“DE-ZZ” is not a known country"),
            ({"rules": ["x" * 301]}, "rules", "at most 300"),
            ({"rules": ["2026-01-01"] * 20_001}, "rules", "at most 20000"),
            ({"rules": ["sun 01:00-02:00"] * 101}, "rules", "at most 100"),
            ({"timezone": "Mars/Olympus"}, "timezone", "not a time zone"),
            ({"during": "sleep"}, "during", "skip, once_afterwards"),
            ({"title": "a\nb"}, "title", "printable"),
            ({"colour": "red"}, "colour", "has no colour"),
        ],
    )
    def test_is_refused_with_field_and_cure(self, given: dict[str, Any], field: str, said: str) -> None:
        if given == {"rules": ["sun 25:00-26:00 x"]}:
            # A time that does not exist is part of the title: the rule is for the whole day.
            assert calendars.create(name="c", **given).rules == ["sun 25:00-26:00 x"]
            return
        with pytest.raises(InvalidCalendar, match=said) as caught:
            calendars.create(**{"name": "c", "rules": [CHRISTMAS], **given})

        assert caught.value.field == field
        assert not Calendar.objects.exists()

    def test_has_tags_like_those_of_jobs(self) -> None:
        with pytest.raises(InvalidName):
            calendars.create(name="c", rules=[CHRISTMAS], tags=["a\n"])

    def test_has_a_name_of_its_own(self) -> None:
        calendars.create(name="xmas", rules=[CHRISTMAS])

        with pytest.raises(NameTaken, match="xmas"):
            calendars.create(name="xmas", rules=["sat"])

    def test_is_found_by_name(self) -> None:
        with pytest.raises(CalendarNotFound, match="xmas"):
            calendars.get(name="xmas")

    def test_is_not_overwritten_by_one_who_saw_another_version(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])
        calendars.update(calendar=made, title="Christmas")

        with pytest.raises(StaleVersion, match="version 2, yours is 1"):
            calendars.update(calendar=made, version=1, rules=["sat"])

    def test_of_many_days_is_quick(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])
        a_job(not_on="xmas")
        began = time.process_time()

        with pytest.raises(InvalidCalendar, match="these jobs cannot run: job"):
            calendars.update(calendar=made, rules=["2026-01-01..2299-10-16 A hundred thousand days"])
        calendars.update(calendar=made, rules=["2028-01-01..2301-10-16 A hundred thousand days later"])

        assert time.process_time() - began < 20


class TestATrigger:
    def test_has_the_digest_of_its_calendars(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])

        job = a_job(not_on=["xmas"])

        assert job.trigger["calendars"] == {"xmas": made.digest}
        assert triggers.current_form(job.trigger) == {**DAILY, "not_on": ["xmas"], "otherwise": "skip"}

    def test_names_calendars_that_exist(self) -> None:
        calendars.create(name="christmas", rules=[CHRISTMAS])

        with pytest.raises(InvalidTrigger, match="Did you mean “christmas”") as caught:
            a_job(not_on=["cristmas"])
        assert (caught.value.pointer, caught.value.code) == ("/not_on", "unknown_calendar")

    @pytest.mark.parametrize("rules", ["daily", "mon-sun", "2026-12-01..2999-12-31"])
    def test_is_refused_if_everything_is_left_out(self, rules: str) -> None:
        calendars.create(name="never", rules=[rules])

        with pytest.raises(NeverFires, match="leave out every fire time"):
            a_job(not_on=["never"])

    def test_is_refused_if_nothing_is_on_its_days(self) -> None:
        calendars.create(name="past", rules=["2020-01-01..2020-12-31"])

        with pytest.raises(NeverFires, match="leave out every fire time"):
            a_job(only_on=["past"])

    def test_fires_seldom_if_its_fire_times_are_moved(self) -> None:
        calendars.create(name="xmas", rules=[CHRISTMAS])

        with pytest.raises(InvalidTrigger, match="at most 24 fire times a day"):
            jobs.create(
                task="governed.have_nothing_to_do",
                trigger={"type": "interval", "minutes": 10, "not_on": "xmas", "otherwise": "next_day"},
            )

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"not_on": "Ü"}, "names of calendars"),
            ({"not_on": 7}, "names of calendars"),
            ({"not_on": [["a"]]}, "names of calendars"),
            ({"only_on": [f"c{number}" for number in range(11)]}, "names of calendars"),
            ({"not_on": ["xmas"], "otherwise": "never"}, "skip, next_day, previous_day"),
            ({"otherwise": "next_day"}, "needs only_on or not_on"),
            ({"windows": "x"}, "names of calendars"),
            ({"windows": {"x": ["y", "z"]}}, "names of calendars"),
        ],
    )
    def test_is_refused_with_the_reason(self, given: dict[str, Any], said: str) -> None:
        calendars.create(name="xmas", rules=[CHRISTMAS])

        with pytest.raises(InvalidTrigger, match=said):
            a_job(**given)

    def test_has_calendars_as_a_whole(self) -> None:
        calendars.create(name="xmas", rules=[CHRISTMAS])

        with pytest.raises(InvalidTrigger, match="not to one part") as caught:
            jobs.create(
                task="governed.have_nothing_to_do", trigger={"type": "or", "triggers": [{**DAILY, "not_on": "xmas"}]}
            )
        assert caught.value.pointer == "/triggers/0/not_on"

    def test_stays_the_same_if_it_is_written_again(self) -> None:
        calendars.create(name="xmas", rules=[CHRISTMAS])
        job = a_job(not_on=["xmas"])

        after = jobs.update(job=job, trigger={**DAILY, "not_on": "xmas"}, now=NOW + timedelta(hours=1))

        assert (after.trigger, after.next_run_time) == (job.trigger, job.next_run_time)


class TestAChange:
    def test_reaches_the_jobs_and_their_history(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])
        job = a_job(not_on=["xmas"])
        jobs.create(id="other", task="governed.have_nothing_to_do", trigger=DAILY)

        after = calendars.update(calendar=made, rules=["2026-12-25 Christmas Day"], actor="anna", via=Via.ADMIN)

        job.refresh_from_db()
        assert job.trigger["calendars"] == {"xmas": after.digest}
        newest = Change.objects.filter(job_key="job").order_by("-id").first()
        assert newest is not None
        assert (newest.actor, newest.via, newest.reason) == ("anna", "admin", "The calendar xmas was changed.")
        assert Change.objects.filter(job_key="other").count() == 1

    def test_is_refused_if_a_job_would_never_run(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])
        a_job("nightly", not_on=["xmas"])

        with pytest.raises(InvalidCalendar, match=r"these jobs cannot run: nightly\. This never runs"):
            calendars.update(calendar=made, rules=["daily"])

        assert calendars.get(name="xmas").rules == [CHRISTMAS]

    def test_reaches_a_paused_job(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])
        job = jobs.pause(job=a_job(not_on=["xmas"]))

        after = calendars.update(calendar=made, rules=["sat"])

        job.refresh_from_db()
        assert (job.state, job.next_run_time) == (JobState.PAUSED, None)
        assert job.trigger["calendars"] == {"xmas": after.digest}

    def test_of_the_title_changes_no_job(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])
        job = a_job(not_on=["xmas"])

        calendars.update(calendar=made, title="Christmas")

        before = job.version
        job.refresh_from_db()
        assert job.version == before


class TestDeletion:
    def test_is_refused_while_jobs_use_it(self) -> None:
        made = calendars.create(name="xmas", rules=[CHRISTMAS])
        for number in range(7):
            a_job(f"job-{number}", **{"not_on" if number % 2 else "only_on": ["xmas"]})

        with pytest.raises(CalendarInUse, match="job-0, job-1, job-2, job-3, job-4 and others"):
            calendars.remove(calendar=made)
        with pytest.raises(InvalidCalendar, match="cannot be renamed while it is used"):
            calendars.update(calendar=made, name="christmas")

        assert calendars.get(name="xmas").pk == made.pk

    def test_of_a_window_ends_it(self) -> None:
        made = calendars.create(name="night", rules=["daily 01:00-05:00"], tags=["db"])
        job = jobs.create(task="governed.have_nothing_to_do", trigger=DAILY, tags=["db"])
        assert job.trigger["windows"] == {"night": [made.digest, "skip"]}

        calendars.remove(calendar=made)

        job.refresh_from_db()
        assert job.trigger == DAILY


class TestAMaintenanceWindow:
    def test_is_for_the_jobs_with_its_tags(self) -> None:
        tagged, other = (
            jobs.create(id=id, task="governed.have_nothing_to_do", trigger=DAILY, tags=tags)
            for id, tags in (("tagged", ["db", "x"]), ("other", ["x"]))
        )

        made = calendars.create(name="night", rules=["daily 01:00-05:00"], tags=["db"], during="once_afterwards")

        tagged.refresh_from_db()
        other.refresh_from_db()
        assert tagged.trigger["windows"] == {"night": [made.digest, "once_afterwards"]}
        assert other.trigger == DAILY

    def test_comes_and_goes_with_the_tag(self) -> None:
        made = calendars.create(name="night", rules=["daily 01:00-05:00"], tags=["db"])
        job = jobs.create(task="governed.have_nothing_to_do", trigger=DAILY)

        job = jobs.update(job=job, tags=["db"])
        assert job.trigger["windows"] == {"night": [made.digest, "skip"]}

        job = jobs.update(job=job, tags=[])
        assert job.trigger == DAILY

    def test_cannot_stop_a_job_for_good(self) -> None:
        jobs.create(id="job", name="job", task="governed.have_nothing_to_do", trigger=DAILY, tags=["db"])

        with pytest.raises(InvalidCalendar, match="these jobs cannot run: job"):
            calendars.create(name="always", rules=["daily"], tags=["db"])


class TestRefreshing:
    def test_reads_the_holidays_anew(self) -> None:
        made = calendars.create(name="germany", rules=["holidays DE"])
        job = a_job(not_on=["germany"])
        stale = made.holidays[:5]
        Calendar.objects.filter(pk=made.pk).update(holidays=stale, digest="0" * 16)

        changed = calendars.refresh(actor="anna")

        assert [each.name for each in changed] == ["germany"]
        assert calendars.get(name="germany").holidays == made.holidays
        job.refresh_from_db()
        assert job.trigger["calendars"] == {"germany": made.digest}
        assert calendars.refresh() == []
