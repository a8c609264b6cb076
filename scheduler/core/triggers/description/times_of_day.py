"""Times of day in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from scheduler.core.triggers.description.lists import join, ranges, rotate
from scheduler.core.triggers.wall_time import TimesOfDay
from scheduler.messages import messages, phrase, phrase_in, phrase_of

MOST_TIMES = 6
"""Up to so many times of day are listed one by one."""

ALL_HOURS = tuple(range(24))
ALL_SIXTY = tuple(range(60))

_UNITS = {
    "seconds": messages("second", "{number} seconds"),
    "minutes": messages("minute", "{number} minutes"),
    "hours": messages("hour", "{number} hours"),
    "days": messages("day", "{number} days"),
    "weeks": messages("week", "{number} weeks"),
    "months": messages("month", "{number} months"),
    "years": messages("year", "{number} years"),
}


def counted(number: int | float, unit: str) -> str:
    """``30 minutes``. One of a unit is just ``minute``."""
    return phrase_of(*_UNITS[unit], number=number)


def render_times(times: TimesOfDay) -> str:
    if times.size <= MOST_TIMES and times.hours != ALL_HOURS:
        return render_at([times.ranked(rank) for rank in range(times.size)])
    if times.seconds == (0,):
        return _minutes(times) or phrase(
            "at {minutes} of {hours}", minutes=_minute(times.minutes), hours=_hour(times.hours)
        )
    if times.minutes == ALL_SIXTY and times.hours == ALL_HOURS:
        if step := _step(times.seconds, 60):
            return phrase("every {interval}", interval=counted(step, "seconds"))
        return phrase("at {seconds} of every minute", seconds=_second(times.seconds))
    seconds = phrase("every second") if times.seconds == ALL_SIXTY else _second(times.seconds)
    minutes = phrase("every minute") if times.minutes == ALL_SIXTY else _minute(times.minutes)
    hours = phrase("every hour") if times.hours == ALL_HOURS else _hour(times.hours)
    return phrase("at {seconds} of {minutes} of {hours}", seconds=seconds, minutes=minutes, hours=hours)


def _second(values: Sequence[int]) -> str:
    return phrase_of("second {seconds}", "seconds {seconds}", number=len(values), seconds=ranges(values))


def _minute(values: Sequence[int]) -> str:
    return phrase_of("minute {minutes}", "minutes {minutes}", number=len(values), minutes=ranges(values))


def _hour(values: Sequence[int]) -> str:
    return phrase_of("hour {hours}", "hours {hours}", number=len(values), hours=ranges(values))


def _minutes(times: TimesOfDay) -> str:
    """Words for regular times on whole minutes. Empty if they are not regular."""
    step = _step(times.minutes, 60)
    if times.hours == ALL_HOURS:
        if step:
            return phrase("every {interval}", interval=counted(step, "minutes"))
        if times.minutes == (0,):
            return phrase("every hour")
        return _past_every_hour(times.minutes)
    rotated = rotate(times.hours, 24)
    first, last = rotated[0] * 3600 + times.minutes[0] * 60, rotated[-1] * 3600 + times.minutes[-1] * 60
    together = all((hour - rotated[0]) % 24 == index for index, hour in enumerate(rotated))
    ends = {"first": _clock(first), "last": _clock(last)}
    if together and step:
        return phrase("every {interval} from {first} to {last}", interval=counted(step, "minutes"), **ends)
    if len(times.minutes) > 1:
        return ""
    if together:
        return phrase("every hour from {first} to {last}", **ends)
    if step := _step(times.hours, 24):
        interval = counted(step, "hours")
        if times.minutes == (0,):
            return phrase("every {interval}", interval=interval)
        return phrase("every {interval}, first {at}", interval=interval, at=render_at([first]))
    if len(distances := {(later - hour) % 24 for hour, later in pairwise(rotated)}) == 1:
        return phrase("every {interval} from {first} to {last}", interval=counted(distances.pop(), "hours"), **ends)
    return ""


def _past_every_hour(minutes: Sequence[int]) -> str:
    if len(minutes) > 1:
        return phrase_in("several minutes", "at {minutes} minutes past every hour", minutes=ranges(minutes))
    return phrase_of("at {number} minute past every hour", "at {number} minutes past every hour", number=minutes[0])


def _step(values: Sequence[int], size: int) -> int:
    """Return the even distance of values that go all the way round, from 0. 0 if there is none."""
    step = values[1] if len(values) > 1 else 0
    return step if step and size % step == 0 and tuple(values) == tuple(range(0, size, step)) else 0


def render_at(moments: Sequence[int]) -> str:
    """``at 02:00``. Some languages say one o'clock in another way than the other hours."""
    number = moments[0] // 3600 if len(moments) == 1 else 2
    return phrase_of("at {times}", "at {times}", number=number, times=join([_clock(moment) for moment in moments]))


def _clock(seconds: int) -> str:
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text
