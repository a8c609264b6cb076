"""What nodes make of fire times that are left out, and of calendars that change under them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as web
from pytest_django import DjangoDbBlocker

from scheduler.core import triggers
from scheduler.core.planning import calendar_changes
from scheduler.core.states import JobState, RunState
from scheduler.errors import InvalidTrigger
from scheduler.models import Calendar, Incident, Job, OwedWindow, Rollup, Run
from scheduler.services import calendars, jobs
from scheduler.services.queries import overview
from scheduler.store import alerts
from scheduler.store.claiming import claims
from scheduler.store.claiming.claimed import Claim
from scheduler.store.jobs import replanning
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts import happenings

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "governed.have_nothing_to_do"
NINE = {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"}
FRIDAY = datetime(2026, 10, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def session(transactional_db: None) -> Iterator[Connection]:
    connection = Connection(purpose="test")
    yield connection
    connection.close()


def claim(session: Connection, now: datetime) -> Claim:
    return claims.claim_due(
        session, node=str(uuid4()), tasks={TASK}, limit=100, room={"default": 100}, catch_up_limit=100, now=now
    )


def claim_all(session: Connection, until: datetime, *, since: datetime) -> None:
    """Claim every hour, as nodes do, and let what runs end."""
    now = since
    while now <= until:
        while claim(session, now).jobs:
            pass
        Run.objects.filter(finished_at=None).update(state=RunState.SUCCEEDED, finished_at=now)
        now += HOUR


def a_job(**trigger: Any) -> Job:
    return jobs.create(
        id="job",
        name="job",
        task=TASK,
        trigger={**NINE, **trigger},
        now=FRIDAY,
        misfire_grace_time=None,
        coalesce=False,
    )


def ledger() -> list[tuple[str, str, str]]:
    return [
        (f"{run.scheduled_at:%m-%d %H:%M}", run.state, str(run.reason)) for run in Run.objects.order_by("scheduled_at")
    ]


class TestAFireTimeThatIsLeftOut:
    def test_is_a_row_with_the_reason(self, session: Connection) -> None:
        calendars.create(name="holiday", rules=["holidays DE"])
        a_job(not_on="holiday")

        claim_all(session, FRIDAY + 2 * DAY, since=FRIDAY)

        assert ledger() == [
            ("10-03 07:00", "skipped", "holiday: Tag der Deutschen Einheit"),
            ("10-04 07:00", "succeeded", ""),
        ]

    def test_is_counted_apart_and_alerts_nobody(self, session: Connection) -> None:
        calendars.create(name="holiday", rules=["2026-10-03..2026-10-09 Week off"])
        a_job(not_on="holiday")
        happenings.rule("dropped", threshold=1, seconds=60 * 24 * 3600)

        claim_all(session, FRIDAY + 8 * DAY, since=FRIDAY)
        alerts.judge(session, kind=alerts.RuleKind.DROPPED, now=FRIDAY + 8 * DAY)

        assert sum(Rollup.objects.values_list("skipped", flat=True)) == 7
        assert sum(Rollup.objects.values_list("left_out", flat=True)) == 7
        assert not Incident.objects.filter(kind="dropped").exists()
        Run.objects.filter(state=RunState.SUCCEEDED).delete()
        assert "job" not in {each.job for each in overview.not_started() if each.fire_times}

    def test_is_one_row_with_its_neighbours_after_an_outage(self, session: Connection) -> None:
        calendars.create(name="weekend", rules=["sat-sun Weekend"])
        a_job(not_on="weekend")

        claim(session, FRIDAY + 4 * DAY)

        assert [(row.covers_from, row.coalesced + 1, row.state) for row in Run.objects.order_by("scheduled_at")] == [
            (datetime(2026, 10, 3, 7, tzinfo=UTC), 2, "skipped"),
            (None, 1, "queued"),
            (None, 1, "queued"),
        ]

    @pytest.mark.parametrize(
        ("otherwise", "expected"),
        [
            ("next_day", [("10-03 07:00", "skipped"), ("10-04 07:00", "skipped"), ("10-05 07:00", "succeeded")]),
            ("previous_day", [("10-03 07:00", "skipped"), ("10-04 07:00", "skipped"), ("10-05 07:00", "succeeded")]),
        ],
    )
    def test_goes_to_another_day(self, session: Connection, otherwise: str, expected: list[tuple[str, str]]) -> None:
        calendars.create(name="weekend", rules=["sat-sun Weekend"])
        a_job(not_on="weekend", otherwise=otherwise)

        claim_all(session, FRIDAY + 3 * DAY, since=FRIDAY)

        assert [each[:2] for each in ledger()] == expected

    def test_of_a_month_goes_to_the_next_working_day(self, session: Connection) -> None:
        calendars.create(name="weekend", rules=["sat-sun Weekend", "holidays DE"])
        a_job(expression="0 9 3 * *", not_on="weekend", otherwise="next_day")

        claim_all(session, FRIDAY + 5 * DAY, since=FRIDAY)

        assert ledger() == [
            ("10-03 07:00", "skipped", "weekend: Tag der Deutschen Einheit"),
            ("10-05 07:00", "succeeded", ""),
        ]

    def test_runs_once_after_a_window(self, session: Connection) -> None:
        calendars.create(
            name="backup", rules=["sat 08:00-10:30 Backup"], tags=["db"], during="once_afterwards", timezone="UTC"
        )
        jobs.create(
            id="job",
            task=TASK,
            trigger={"type": "cron", "expression": "0 * * * *", "timezone": "UTC"},
            tags=["db"],
            now=FRIDAY,
            misfire_grace_time=None,
            coalesce=False,
        )

        claim_all(session, FRIDAY + 23 * HOUR, since=FRIDAY + 19 * HOUR)

        assert ledger()[-5:] == [
            ("10-03 08:00", "skipped", "Maintenance window backup: Backup"),
            ("10-03 09:00", "skipped", "Maintenance window backup: Backup"),
            ("10-03 10:00", "skipped", "Maintenance window backup: Backup"),
            ("10-03 10:30", "succeeded", ""),
            ("10-03 11:00", "succeeded", ""),
        ]


class TestAChangeOfACalendar:
    def test_leaves_what_is_due_already_due(self, session: Connection) -> None:
        made = calendars.create(name="off", rules=["2020-01-01"])
        job = a_job(not_on="off")
        assert job.next_run_time is not None
        with web.cursor() as cursor:
            cursor.execute("UPDATE django_apscheduler_djangojob SET next_run_time = now() - interval '1 hour'")
        due_at = Job.objects.get().next_run_time
        owed = OwedWindow.objects.count()

        calendars.update(calendar=made, rules=["2021-01-01"])

        assert Job.objects.get().next_run_time == due_at
        assert OwedWindow.objects.count() == owed

    def test_reaches_what_was_written_meanwhile(self, session: Connection) -> None:
        made = calendars.create(name="off", rules=["2020-01-01"])
        job = a_job(not_on="off")
        form = {**job.trigger, "calendars": {"off": "0" * 16}}
        Calendar.objects.filter(pk=made.pk).update(digest=made.digest)
        Job.objects.filter(pk="job").update(trigger=job.trigger, needs_inspection=False)
        assert replanning.find(limit=10) == ()
        with web.cursor() as cursor:
            cursor.execute(
                "UPDATE scheduler_calendar SET digest = %s",
                [calendars.create(name="x", rules=["2022-02-02"]).digest],
            )

        assert replanning.find(limit=10, execute=session.execute) == ("job",)
        assert replanning.replan_many(jobs=["job"]) == 1
        assert replanning.find(limit=10) == ()
        assert form != Job.objects.get(pk="job").trigger

    @pytest.mark.parametrize("seed", range(12))
    def test_loses_and_doubles_nothing(
        self, session: Connection, seed: int, django_db_blocker: DjangoDbBlocker
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 - it chooses cases
        otherwise = chance.choice(["skip", "next_day", "previous_day"])
        made = calendars.create(name="off", rules=["2020-01-01"])
        expression = chance.choice(["0 9 * * *", "0 9 * * mon,sat", "0 9 */3 * *"])
        job = a_job(expression=expression, not_on="off", otherwise=otherwise)
        rule = triggers.parse({**NINE, "expression": expression})
        now, moved = FRIDAY, {}
        for _ in range(60):
            claim_all(session, now, since=now)
            now += chance.choice([HOUR, 3 * HOUR, 9 * HOUR])
            if chance.random() < 0.4:
                day = FRIDAY.date() + timedelta(days=chance.randrange(20))
                last = day + timedelta(days=chance.randrange(4))
                claim_all(session, now, since=now)
                before = triggers.parse(Job.objects.get(pk="job").trigger)
                _change(made, f"{day}..{last}")
                replanning.replan(job="job", now=now)
                moved |= _promised(before, now)
        claim_all(session, now, since=now)

        job.refresh_from_db()
        rows = list(Run.objects.filter(job_key="job").order_by("scheduled_at"))
        at = [row.scheduled_at for row in rows]
        assert len(at) == len(set(at))
        by_rule = rule.upcoming(first=rule.first_after(FRIDAY) or FRIDAY, until=now, limit=1000)
        assert set(by_rule) <= {each for row in rows for each in _covered(rule, row)}, "a fire time has no row"
        ran = {row.scheduled_at for row in rows if row.state == RunState.SUCCEEDED}
        for promised in moved:
            assert promised in ran | {row.scheduled_at for row in rows} or promised > now
        assert job.state == JobState.ACTIVE


def _change(calendar: Calendar, rule: str) -> None:
    """Write a calendar without its jobs, as one that other jobs keep busy."""
    content = calendars.content_of(rules_text=[rule])
    Calendar.objects.filter(pk=calendar.pk).update(rules=list(content.rules), digest=content.digest)
    calendars.CalendarVersion.objects.create(
        calendar_name="off", version=2, digest=content.digest, content=content.as_json(), action="edited"
    )


def _promised(before: triggers.Trigger, now: datetime) -> dict[datetime, bool]:
    """Fire times to which something was moved that would have run already."""
    return {target: True for _, target in calendar_changes._moved(before, begin=now - 32 * DAY, until=now, later=True)}


def _covered(rule: triggers.Trigger, row: Run) -> list[datetime]:
    first = row.covers_from or row.scheduled_at
    return [first, *rule.upcoming(first=first, until=row.scheduled_at, limit=1000)]


class TestANodeOfTheReleaseBefore:
    """It refuses the keys that it does not know."""

    @pytest.fixture(autouse=True)
    def knows_no_calendars(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def forget_calendars(self) -> None:
        def parse(text: str) -> triggers.Trigger:
            raise InvalidTrigger(_unknown("not_on"), pointer="/not_on", code="unknown_key")

        self.monkeypatch.setattr(triggers, "parse_cached", parse)

    def test_leaves_the_job_as_it_is(self, session: Connection) -> None:
        calendars.create(name="holiday", rules=["holidays DE"])
        job = a_job(not_on="holiday")
        self.forget_calendars()

        found = claim(session, FRIDAY + DAY)

        assert (found.owned, found.broken) == ((), ())
        before = (job.next_run_time, job.version, job.trigger)
        job.refresh_from_db()
        assert (job.state, job.next_run_time, job.version, job.trigger) == (JobState.ACTIVE, *before)
        assert not Run.objects.exists()

    def test_plans_other_jobs(self, session: Connection) -> None:
        calendars.create(name="holiday", rules=["holidays DE"])
        a_job(not_on="holiday")
        jobs.create(id="other", task=TASK, trigger=NINE, now=FRIDAY)
        parse = triggers.parse_cached

        def refuse(text: str) -> triggers.Trigger:
            if "not_on" in text:
                raise InvalidTrigger(_unknown("not_on"), pointer="/not_on", code="unknown_key")
            return parse(text)

        self.monkeypatch.setattr(triggers, "parse_cached", refuse)

        claim(session, FRIDAY + DAY)

        assert list(Run.objects.values_list("job_key", flat=True)) == ["other"]
        assert Job.objects.get(pk="job").state == JobState.ACTIVE

    def test_does_not_keep_others_from_breaking_it(self, session: Connection) -> None:
        calendars.create(name="holiday", rules=["holidays DE"])
        a_job(not_on="holiday")
        Job.objects.filter(pk="job").update(trigger={"type": "cron", "not_on": ["holiday"], "calendars": {}})
        Job.objects.filter(pk="job").update(needs_inspection=False)

        claim(session, FRIDAY + DAY)

        assert Job.objects.get(pk="job").state == JobState.BROKEN


def _unknown(key: str) -> str:
    from scheduler.core import hints
    from scheduler.core.triggers import error_messages
    from scheduler.messages import phrase, row

    said = error_messages.UNKNOWN_KEY(trigger=phrase("A {kind} trigger", kind="cron"), key=key)
    return row(" ", [said, hints.TAKES(names="expression, fields")])
