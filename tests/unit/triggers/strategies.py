"""Triggers of every type for hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

zones = st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "+05:30"))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
instants = moments.map(lambda moment: moment.isoformat())


def cron_field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    step = st.integers(1, 20).map(lambda number: f"*/{number}")
    span = st.tuples(number, number).map("-".join)
    several = st.lists(st.one_of(number, span), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), step, several)


expressions = st.tuples(
    st.one_of(st.sampled_from(("0", "30", "*/15", "*")), cron_field(0, 59)),
    cron_field(0, 23),
    st.sampled_from(("*", "*", "1", "13", "L", "LW", "1-7", "*/2")),
    st.one_of(st.just("*"), cron_field(1, 12)),
    st.sampled_from(("*", "*", "0", "7", "mon-fri", "sat-sun", "5L", "1#2")),
).map(" ".join)

crons = st.fixed_dictionaries({"type": st.just("cron"), "expression": expressions, "timezone": zones})
fields = st.fixed_dictionaries(
    {"type": st.just("cron"), "timezone": zones},
).flatmap(
    lambda base: (
        st.fixed_dictionaries(
            {},
            optional={
                "day": st.sampled_from(("*", "last", "2nd sun", "1-5", "*/3")),
                "day_of_week": st.sampled_from(("*", "mon-fri", "sun", "0,2")),
                "hour": st.one_of(st.integers(0, 23), st.sampled_from(("*", "*/4", "9-17"))),
                "minute": st.one_of(st.integers(0, 59), st.sampled_from(("*/20", "0,30"))),
            },
        )
        .filter(bool)
        .map(lambda given: {**base, "fields": given})
    )
)
intervals = st.fixed_dictionaries(
    {"type": st.just("interval"), "minutes": st.integers(7, 5_000)},
    optional={"seconds": st.integers(0, 100), "start_at": instants, "timezone": zones},
)
dates = st.fixed_dictionaries({"type": st.just("date"), "run_at": instants})
calendars = st.fixed_dictionaries(
    {
        "type": st.just("calendar"),
        "at": st.sampled_from(("00:00", "00:30", "02:30", "2:15:30", "23:59")),
        "timezone": zones,
    },
    optional={
        "years": st.integers(0, 2),
        "months": st.integers(0, 14),
        "weeks": st.integers(0, 3),
        "start_at": instants,
    },
).map(lambda form: {**form, "days": 1} if not (form.get("years") or form.get("months") or form.get("weeks")) else form)

simple = st.one_of(crons, fields, intervals, dates, calendars)
combinations = st.fixed_dictionaries(
    {"type": st.sampled_from(("or", "and")), "triggers": st.lists(simple, min_size=1, max_size=3)}
)
limits = st.fixed_dictionaries(
    {}, optional={"start_at": instants, "end_at": instants, "jitter_seconds": st.integers(0, 99)}
)
triggers = st.one_of(
    simple, combinations, st.tuples(st.one_of(simple, combinations), limits).map(lambda two: {**two[0], **two[1]})
)
