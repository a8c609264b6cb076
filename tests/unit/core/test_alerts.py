"""What a rule may say, and when a message is due."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from scheduler.core.alerts import (
    GIVE_UP_AFTER,
    KINDS,
    RuleKind,
    check_rule,
    delay_before_next_try,
    delay_before_reminder,
    quiet_until,
)
from scheduler.core.alerts.checks import SENTENCES, failing_checks
from scheduler.core.health import Limits, Standing
from scheduler.core.health.standing import CleanUp, NodeView, Scheduling, Waiting
from scheduler.errors import InvalidRule
from tests.ledger import NOON


class TestCheckRule:
    @pytest.mark.parametrize("kind", [kind for kind in RuleKind if kind not in (RuleKind.RESULT, RuleKind.SLOW)])
    def test_fills_in_what_its_kind_needs(self, kind: RuleKind) -> None:
        columns = check_rule({"kind": kind.value})

        for name, parameter in KINDS[kind].parameters.items():
            assert columns[name] == parameter.default

    def test_drops_what_other_kinds_take(self) -> None:
        columns = check_rule({"kind": "broken", "threshold": 3, "seconds": 60, "path": "a", "factor": 2})

        assert (columns["threshold"], columns["seconds"], columns["path"], columns["factor"]) == (None, None, "", None)

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"kind": "loud"}, "kind"),
            ({"kind": None}, "kind"),
            ({"kind": "failing", "threshold": 0}, "threshold"),
            ({"kind": "failing", "threshold": 1.5}, "threshold"),
            ({"kind": "failing", "threshold": True}, "threshold"),
            ({"kind": "failing", "threshold": "3"}, "threshold"),
            ({"kind": "failing", "severity": "loud"}, "severity"),
            ({"kind": "failing", "scope": "tag"}, "target"),
            ({"kind": "failing", "scope": "tag", "target": "a\nb"}, "target"),
            ({"kind": "failing", "scope": "tag", "target": "x" * 256}, "target"),
            ({"kind": "failing", "scope": "planet"}, "scope"),
            ({"kind": "late", "seconds": 0}, "seconds"),
            ({"kind": "late", "seconds": float("nan")}, "seconds"),
            ({"kind": "late", "seconds": 1e12}, "seconds"),
            ({"kind": "slow"}, "seconds"),
            ({"kind": "slow", "factor": 1.0}, "factor"),
            ({"kind": "result", "operator": "=", "value": 1}, "path"),
            ({"kind": "result", "path": "a..b", "operator": "=", "value": 1}, "path"),
            ({"kind": "result", "path": "a", "operator": "~", "value": 1}, "operator"),
            ({"kind": "result", "path": "a", "operator": "="}, "value"),
            ({"kind": "result", "path": "a", "operator": "<", "value": "x"}, "value"),
            ({"kind": "result", "path": "a", "operator": "=", "value": [1]}, "value"),
            ({"kind": "failing", "escalate_after": -1}, "escalate_after"),
        ],
    )
    def test_refuses_what_cannot_be_and_names_it(self, given: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidRule) as caught:
            check_rule(given)

        assert caught.value.field == field

    def test_gives_a_rule_about_the_scheduler_no_scope(self) -> None:
        columns = check_rule({"kind": "system", "scope": "tag", "target": "billing"})

        assert (columns["scope"], columns["target"]) == ("everything", "")


class TestTries:
    def test_are_spread_over_about_a_week(self) -> None:
        delays = [delay_before_next_try(attempts=number, chance=0.0) for number in range(1, GIVE_UP_AFTER)]

        assert delays[:4] == [timedelta(seconds=seconds) for seconds in (10, 20, 40, 80)]
        assert max(delays) == timedelta(hours=24)
        assert timedelta(days=5) < sum(delays, timedelta()) < timedelta(days=8)

    def test_that_failed_together_come_apart(self) -> None:
        assert delay_before_next_try(attempts=1, chance=1.0) == timedelta(seconds=11)


class TestReminders:
    def test_double_up_to_a_day(self) -> None:
        hours = [delay_before_reminder(reminders=number) / timedelta(hours=1) for number in range(8)]

        assert hours == [1, 2, 4, 8, 16, 24, 24, 24]


class TestQuietHours:
    @pytest.mark.parametrize(
        ("now", "ends"),
        [
            ("2027-03-01T20:59:00", None),
            ("2027-03-01T21:00:00", "2027-03-02T06:00:00"),
            ("2027-03-01T23:30:00", "2027-03-02T06:00:00"),
            ("2027-03-02T05:59:59", "2027-03-02T06:00:00"),
            ("2027-03-02T06:00:00", None),
            # The clocks of Berlin go forward at 01:00 UTC: its morning comes an hour earlier.
            ("2027-03-28T00:30:00", "2027-03-28T05:00:00"),
        ],
    )
    def test_span_midnight_on_the_clock_of_their_zone(self, now: str, ends: str | None) -> None:
        found = quiet_until(
            now=datetime.fromisoformat(now).replace(tzinfo=UTC),
            begins=time(22),
            ends=time(7),
            zone="Europe/Berlin",
        )

        assert found == (None if ends is None else datetime.fromisoformat(ends).replace(tzinfo=UTC))

    def test_may_lie_within_a_day(self) -> None:
        noon = datetime(2027, 3, 1, 12, tzinfo=UTC)

        assert quiet_until(now=noon, begins=time(11), ends=time(13), zone="UTC") == datetime(2027, 3, 1, 13, tzinfo=UTC)
        assert quiet_until(now=noon, begins=time(13), ends=time(14), zone="UTC") is None

    def test_are_off_when_they_are_empty(self) -> None:
        noon = datetime(2027, 3, 1, 12, tzinfo=UTC)

        assert quiet_until(now=noon, begins=None, ends=time(14), zone="UTC") is None
        assert quiet_until(now=noon, begins=time(9), ends=time(9), zone="UTC") is None


class TestTheChecksOfASystemRule:
    def test_find_all_that_they_name(self) -> None:
        """A check that the health calls otherwise, or never lets fail, would be watched in vain."""
        limits = Limits(enabled=True, overdue_seconds=60.0, fire_times=3, backlog=100, skew_seconds=2.0)
        scheduling = Scheduling(
            now=NOON,
            due=9,
            overdue=9,
            max_overdue=900.0,
            next_run_time=None,
            nodes=1,
            fresh_nodes=0,
            heartbeat_age=900.0,
            uptime=None,
            backlog=9000,
            backlog_seconds=900.0,
            skew=99.0,
            failing=0,
            stopped=0,
        )
        queue = Waiting(
            executor="default",
            queued=9,
            running=0,
            held=0,
            oldest=9000.0,
            oldest_held=None,
            youngest_running=None,
            unheeded=0,
        )
        node = NodeView(
            id="1",
            name="web-1",
            state="running",
            heartbeat_age=1.0,
            uptime=900.0,
            stuck=0,
            executors={},
            is_fresh=True,
            backlog=0,
            tick_seconds=0.0,
            busy={},
            waiting={},
            connections=None,
            skew=None,
            tzdata="2026a",
            memory_bytes=None,
            processors=None,
            brokers={"celery": {"error": "Refused.", "since": (NOON - timedelta(hours=1)).isoformat()}},
        )
        standing = Standing(
            scheduling=scheduling,
            nodes=(node,),
            queues=(queue,),
            stalled=0,
            transaction=None,
            jobs={},
            unadopted=0,
            clean_up=CleanUp(is_scheduled=True, age=1.0, is_needed=False),
            tzdata="2026a",
        )

        found = failing_checks(standing=standing, sending={"channel:7": 700.0, "sender": 700.0}, limits=limits)

        assert {check.name.partition(":")[0] for check in found} == SENTENCES.keys()
