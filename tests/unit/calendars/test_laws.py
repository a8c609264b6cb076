"""Laws of triggers with calendars, over clock changes and over calendars chosen at random."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler.core import triggers
from scheduler.core.planning import NONE_ACTIVE, Active, Policies, plan
from scheduler.core.states import Overlap, RunState
from scheduler.core.triggers import CalendaredTrigger
from scheduler.errors import InvalidTrigger
from tests.calendars import in_memory
from tests.unit.calendars import oracle
from tests.unit.calendars.oracle import WEEK, Naive

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu")
# Around both clock changes, the turn of a year and 29 February.
MONTHS = [(2028, 2), (2027, 3), (2026, 10), (2026, 11), (2026, 12), (2018, 11), (2018, 2), (2027, 4)]
MOMENT = timedelta(microseconds=1)

dates = st.sampled_from(MONTHS).flatmap(lambda ym: st.integers(1, 28).map(lambda day: date(*ym, day)))
hours = st.integers(0, 22).map(lambda hour: time(hour, 0))
rules = st.one_of(
    st.builds(lambda day: Naive(weekday=day), st.sampled_from(WEEK)),
    st.builds(
        lambda day, begin, length: Naive(weekday=day, begin=begin, end=time(min(begin.hour + length, 23), 30)),
        st.sampled_from(WEEK),
        hours,
        st.integers(0, 5),
    ),
    st.builds(lambda first, length: Naive(first=first, last=first + timedelta(days=length)), dates, st.integers(0, 9)),
    st.builds(lambda day: Naive(month_day=(day.month, day.day)), dates),
)
expressions = st.sampled_from(
    [
        "30 2 * * *",
        "0 9 * * mon-fri",
        "*/20 1-3 * * *",
        "0 0 1 * *",
        "15 23 L * *",
        "0 */6 * * *",
        "30 2 29 2 *",
        "0 12 * * sun",
    ]
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[CalendaredTrigger, list[Naive], ZoneInfo, datetime]:
    zone = draw(st.sampled_from(ZONES))
    chosen = draw(st.lists(rules, min_size=1, max_size=4))
    year, month = draw(st.sampled_from(MONTHS))
    begin = datetime(year, month, draw(st.integers(1, 27)), draw(st.integers(0, 23)), tzinfo=UTC)
    form = {
        "type": "cron",
        "expression": draw(expressions),
        "timezone": zone,
        "not_on": "some",
        "otherwise": draw(st.sampled_from(["skip", "next_day", "previous_day"])),
    }
    with in_memory() as calendars:
        calendars.set("some", *(rule.line for rule in chosen))
        trigger = triggers.parse(form)
    assert isinstance(trigger, CalendaredTrigger)
    return trigger, chosen, ZoneInfo(zone), begin


class TestFireTimes:
    @given(cases())
    @settings(max_examples=150, deadline=None)
    def test_are_those_of_the_oracle_in_both_directions(
        self, case: tuple[CalendaredTrigger, list[Naive], ZoneInfo, datetime]
    ) -> None:
        trigger, chosen, zone, begin = case
        end = begin + timedelta(days=12)
        expected = oracle.fire_times(
            trigger.rule, chosen, zone=zone, otherwise=trigger.otherwise.value, begin=begin, end=end
        )

        forward = _forward(trigger, begin, end)
        assert [(at, trigger.left_out(at) is None) for at in forward] == expected

        for hour in range(0, 12 * 24, 5):
            at = begin + timedelta(hours=hour)
            assert trigger.at_or_after(at) == next((each for each in forward if each >= at), trigger.at_or_after(end))
            before = [each for each in forward if each <= at]
            assert trigger.at_or_before(at) == (before[-1] if before else trigger.at_or_before(begin - MOMENT))
        back = []
        moment = trigger.at_or_before(end)
        while moment is not None and moment >= begin:
            back.append(moment)
            moment = trigger.at_or_before(moment - MOMENT)
        assert back[::-1] == forward
        if forward:
            assert trigger.count(first=forward[0], until=end) == len(forward)

    @given(cases(), st.integers(0, 12 * 24 * 3600))
    @settings(max_examples=150, deadline=None)
    def test_stay_left_out_for_as_long_as_is_said(
        self, case: tuple[CalendaredTrigger, list[Naive], ZoneInfo, datetime], offset: int
    ) -> None:
        trigger, chosen, zone, begin = case
        at = begin + timedelta(seconds=offset)
        until = trigger.unchanged_until(at)

        assert until > at
        reason = trigger.left_out(at)
        step = (until - at) / 7
        assert {trigger.left_out(at + step * number) for number in range(7)} == {reason}
        assert trigger.left_out(until - timedelta(seconds=1)) == reason
        assert (reason is not None) == oracle.is_on(chosen, at, zone)


def _forward(trigger: CalendaredTrigger, begin: datetime, end: datetime) -> list[datetime]:
    found = []
    moment = trigger.at_or_after(begin)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = trigger.next_after(moment)
    return found


@st.composite
def windowed(draw: st.DrawFn) -> tuple[CalendaredTrigger, list[tuple[str, list[Naive]]], ZoneInfo, datetime]:
    """A trigger with up to three maintenance windows, which may overlap or follow each other."""
    zone = draw(st.sampled_from(ZONES))
    hourly = st.builds(
        lambda day, begin, length: Naive(weekday=day, begin=begin, end=time(min(begin.hour + length, 23), 30)),
        st.sampled_from(WEEK),
        hours,
        st.integers(0, 5),
    )
    one = st.tuples(
        st.sampled_from(["once_afterwards", "once_afterwards", "skip"]), st.lists(hourly, min_size=1, max_size=3)
    )
    windows = draw(st.lists(one, min_size=1, max_size=3))
    year, month = draw(st.sampled_from(MONTHS))
    begin = datetime(year, month, draw(st.integers(1, 27)), draw(st.integers(0, 23)), tzinfo=UTC)
    with in_memory() as calendars:
        pins = {
            f"w{place}": [calendars.set(f"w{place}", *(rule.line for rule in chosen)), during]
            for place, (during, chosen) in enumerate(windows)
        }
        expression = draw(expressions)
        trigger = triggers.parse({"type": "cron", "expression": expression, "timezone": zone, "windows": pins})
    assert isinstance(trigger, CalendaredTrigger)
    return trigger, windows, ZoneInfo(zone), begin


class TestMaintenanceWindows:
    @given(windowed())
    @settings(max_examples=150, deadline=None)
    def test_add_a_fire_time_at_the_end_of_those_that_left_one_out(
        self, case: tuple[CalendaredTrigger, list[tuple[str, list[Naive]]], ZoneInfo, datetime]
    ) -> None:
        trigger, windows, zone, begin = case
        end = begin + timedelta(days=8)
        ones = [chosen for during, chosen in windows if during == "once_afterwards"]
        first = trigger.rule.at_or_after(begin)
        by_rule = set(trigger.rule.upcoming(first=first, until=end, limit=100_000)) if first else set()
        expected = sorted(by_rule | oracle.ends_of_windows(trigger.rule, ones, zone=zone, begin=begin, end=end))

        forward = _forward(trigger, begin, end)

        assert forward == expected
        every = [rule for _, chosen in windows for rule in chosen]
        assert [trigger.left_out(at) is None for at in forward] == [not oracle.is_on(every, at, zone) for at in forward]
        back, moment = [], trigger.at_or_before(end)
        while moment is not None and moment >= begin:
            back.append(moment)
            moment = trigger.at_or_before(moment - MOMENT)
        assert back[::-1] == forward


@st.composite
def policies(draw: st.DrawFn) -> Policies:
    grace = draw(st.sampled_from([None, 60, 3600, 86_400]))
    return Policies(
        coalesce=draw(st.booleans()),
        max_instances=draw(st.sampled_from([1, 2, 50])),
        misfire_grace_time=None if grace is None else timedelta(seconds=grace),
        overlap=draw(st.sampled_from(list(Overlap))),
    )


class TestAPlan:
    @given(
        cases(),
        policies(),
        st.integers(0, 9 * 24 * 60),
        st.sampled_from([NONE_ACTIVE, Active(runs=1), Active(runs=2)]),
        st.sampled_from([1, 3, 100]),
    )
    @settings(max_examples=250, deadline=None)
    def test_accounts_for_each_fire_time_once(
        self,
        case: tuple[CalendaredTrigger, list[Naive], ZoneInfo, datetime],
        policies: Policies,
        minutes: int,
        active: Active,
        limit: int,
    ) -> None:
        trigger, _, _, begin = case
        due_at = trigger.at_or_after(begin)
        assume(due_at is not None)
        assert due_at is not None
        now = due_at + timedelta(minutes=minutes)

        rows = []
        following: datetime | None = due_at
        while following is not None and following <= now:  # as claims do that follow each other
            planned = plan(
                trigger=trigger, due_at=following, now=now, policies=policies, active=active, catch_up_limit=limit
            )
            rows += planned.rows
            following = planned.next_fire_time

        covered = [
            at for row in rows for at in _forward(trigger, row.covers_from or row.scheduled_at, row.scheduled_at)
        ]
        due = _forward(trigger, due_at, now)
        assert covered == due
        assert sum(row.coalesced + 1 for row in rows) == len(due)
        for row in rows:
            every = {
                trigger.left_out(at) for at in _forward(trigger, row.covers_from or row.scheduled_at, row.scheduled_at)
            }
            if None in every:
                assert every == {None}, "a row covers fire times that run and others"
            else:
                assert every == {row.reason}
                assert row.state is RunState.SKIPPED
        if policies.coalesce and len(rows) < 100:
            assert sum(row.state is RunState.QUEUED for row in rows) <= 1
        assert (
            sum(row.state is RunState.QUEUED and not row.held for row in rows)
            <= max(0, policies.max_instances - active.runs)
            or policies.overlap is Overlap.SKIP
        )


class TestNormalizing:
    @given(cases())
    @settings(max_examples=60, deadline=None)
    def test_changes_nothing_the_second_time(
        self, case: tuple[CalendaredTrigger, list[Naive], ZoneInfo, datetime]
    ) -> None:
        trigger, chosen, _, begin = case
        with in_memory() as calendars:
            calendars.set("some", *(rule.line for rule in chosen))
            try:
                once = triggers.normalize(trigger.as_json(), now=begin)
            except InvalidTrigger:
                return
            assert triggers.normalize(once, now=begin + timedelta(days=3)) == once
            assert triggers.is_same(triggers.without_pins(once), once)
