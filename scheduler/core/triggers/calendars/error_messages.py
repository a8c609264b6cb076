"""The messages of errors about calendars, each declared once."""

from __future__ import annotations

from scheduler.messages import declare

RULE_NOT_UNDERSTOOD = declare(
    "rule_not_understood",
    "Line {line}: “{text}” is not understood. Write days such as “sat-sun”, “12-24”, “2026-12-24..2027-01-01” or "
    "“sun 02:00-04:00”, or “holidays DE-BY”, and after it a title.",
    line=int,
    text=str,
)
RULE_NO_SUCH_DAY = declare("rule_no_such_day", "Line {line}: the day “{text}” does not exist.", line=int, text=str)
RULE_YEARS = declare(
    "rule_years",
    "Line {line}: the year of “{text}” is from {first} to {last}.",
    line=int,
    text=str,
    first=str,
    last=str,
)
RULE_ENDS_EARLY = declare(
    "rule_ends_early", "Line {line}: “{text}” ends before it begins, or when it begins.", line=int, text=str
)
RULE_TOO_LONG = declare("rule_too_long", "Line {line}: a rule has at most {most} characters.", line=int, most=int)
TOO_MANY_RULES = declare(
    "too_many_rules", "A calendar has at most {most} rules; this has {number}.", most=int, number=int
)
TOO_MANY_OF_A_KIND = declare(
    "too_many_of_a_kind",
    "A calendar has at most {most} rules by weekday, and as many countries; this has {number}.",
    most=int,
    number=int,
)
NO_RULES = declare("no_rules", "The calendar is empty: write one or more rules.")
RULES_ARE_TEXT = declare("rules_are_text", "The rules are a list of texts, one for each rule.")

HOLIDAYS_NEEDED = declare(
    "holidays_needed",
    "Line {line}: country holidays need the package “{package}”. Install openlearn-scheduler[holidays].",
    line=int,
    package=str,
)
UNKNOWN_COUNTRY = declare(
    "unknown_country",
    "Line {line}: “{country}” is not a known country or part of one. Write an ISO 3166 code such as DE or DE-BY.",
    line=int,
    country=str,
)

ICALENDAR_NEEDED = declare(
    "icalendar_needed",
    "iCalendar files need the package “{package}”. Install openlearn-scheduler[holidays].",
    package=str,
)
FILE_TOO_LARGE = declare("file_too_large", "The file is larger than {most} bytes.", most=int)
FILE_NOT_ICALENDAR = declare("file_not_icalendar", "The file is not an iCalendar file: {problem}", problem=str)
FILE_WITHOUT_EVENTS = declare(
    "file_without_events", "The file has no event from {first} to {last}.", first=str, last=str
)
FILE_TOO_MANY_EVENTS = declare(
    "file_too_many_events",
    "The file has more than {most} events or repetitions from {first} to {last}.",
    most=int,
    first=str,
    last=str,
)
EVENT_TOO_FREQUENT = declare(
    "event_too_frequent", "“{title}” repeats more often than daily. Write such times as a rule.", title=str
)
EVENT_UNUSABLE = declare("event_unusable", "“{title}” cannot be used: {problem}", title=str, problem=str)
