"""The form of a trigger that is stored, after checks that it fires and can be planned in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from scheduler.core.triggers import budget, error_messages
from scheduler.core.triggers.budget import Budget, TooCostly
from scheduler.core.triggers.calendared import MOST_A_DAY, CalendaredTrigger, Otherwise
from scheduler.core.triggers.combinations import AndTrigger, Combination
from scheduler.core.triggers.reading import parse
from scheduler.core.triggers.reading.instants import ends_too_early
from scheduler.core.triggers.stored_forms import without_digests
from scheduler.core.triggers.trigger import MOMENT
from scheduler.errors import InvalidTrigger, NeverFires

_OUTAGE = timedelta(weeks=1)
_SEASON = timedelta(days=91)


def normalize(trigger: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """
    Return the trigger as it is stored. An interval without ``start_at`` starts one interval after ``now``.

    :raises InvalidTrigger: it cannot be used
    :raises NeverFires: it has no fire time
    :raises TooCostly: its parts have to be searched for too long
    """
    settled = parse(without_digests(trigger)).settled(now=now)
    if settled.start_at is not None and settled.end_at is not None and settled.end_at < settled.start_at:
        raise ends_too_early(settled, first=settled.start_at)
    rule = settled.rule if isinstance(settled, CalendaredTrigger) else settled
    if isinstance(rule, Combination):
        _check_search(rule, now=now)
    if isinstance(settled, CalendaredTrigger):
        _check_calendars(settled, now=now)
    # Read again: with the anchor just fixed, nothing may lie before the end any more.
    return parse(settled.as_json()).as_json()


def _check_search(settled: Combination, *, now: datetime) -> None:
    """
    Check that the triggers agree at some instant, and that planning them takes no longer than the engine may take.

    :raises NeverFires: they never agree
    :raises TooCostly: the plan after a week's outage exceeds its budget, now or in another season
    """
    with Budget(budget.SAVE_STEPS):
        if isinstance(settled, AndTrigger) and settled.disagrees(now=now):
            raise NeverFires(error_messages.NEVER_TOGETHER(), pointer="/triggers")
    for season in range(4):
        with Budget(budget.OUTAGE_STEPS):
            settled.search_as_a_plan_does(since=now + season * _SEASON, until=now + season * _SEASON + _OUTAGE)


def _check_calendars(settled: CalendaredTrigger, *, now: datetime) -> None:
    """
    Check that calendars leave something of a trigger, and that planning it takes no longer than the engine may take.

    :raises NeverFires: every fire time is left out
    :raises TooCostly: the plan after a week's outage exceeds its budget, now or in another season
    :raises InvalidTrigger: it fires too often for its fire times to be moved
    """
    first = settled.rule.first_after(now)
    if first is None or first < now:
        return  # it is over, which is for others to say
    if settled.otherwise is not Otherwise.SKIP:
        most = MOST_A_DAY
        if settled.rule.count_after(first - MOMENT, until=first + timedelta(days=1) - MOMENT) > most:
            problem = error_messages.TOO_OFTEN_TO_MOVE(choice=settled.otherwise.value, most=most)
            raise InvalidTrigger(problem, pointer="/otherwise", code="too_often")
    key = "/not_on" if settled.not_on else "/only_on"
    try:
        with Budget(budget.SAVE_STEPS):
            if settled.first_allowed(now - MOMENT) is None:
                raise NeverFires(error_messages.ALWAYS_LEFT_OUT(), pointer=key)
    except TooCostly:
        raise NeverFires(error_messages.ALWAYS_LEFT_OUT(), pointer=key) from None
    for season in range(4):
        with Budget(budget.OUTAGE_STEPS):
            since = now + season * _SEASON
            moment = settled.next_after(since)
            if moment is not None and moment <= since + _OUTAGE:
                settled.latest(first=moment, until=since + _OUTAGE)
