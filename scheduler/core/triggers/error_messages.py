"""The messages of errors about triggers, each declared once."""

from __future__ import annotations

from scheduler.messages import declare, declare_counted

LAST_FIRE_TIME_IS_OVER = declare("last_fire_time_is_over", "This never runs again: its last scheduled time has passed.")
NEVER_TOGETHER = declare("never_together", "This never runs: its triggers never fire at the same instant.")
DATE_IS_OVER = declare("date_is_over", "{date} in {timezone} is over (now {now}).", date=str, timezone=str, now=str)
UNKNOWN_CRON_FIELD = declare(
    "unknown_cron_field", "A cron has no field “{name}”. It has: {names}.", name=str, names=str
)
CRON_FIELDS_NEEDED = declare("cron_fields_needed", "The fields are an object with one or more of: {names}.", names=str)
NO_DATE_MATCHES_FIELDS = declare("no_date_matches_fields", "This never runs: no date matches its fields.")
CRON_FIELD_TOO_LONG = declare(
    "cron_field_too_long",
    "{field} has at most {characters} characters and {items} items.",
    field=str,
    characters=int,
    items=int,
)
CRON_FIELD_OUT_OF_RANGE = declare(
    "cron_field_out_of_range", "{field} “{text}”: allowed are {allowed}.", field=str, text=str, allowed=str
)
CRON_TOO_LONG = declare(
    "cron_too_long", "A cron expression has at most {most} characters. This one has {number}.", most=int, number=int
)
CRON_IS_TEXT = declare("cron_is_text", "A cron expression is a text such as “0 2 * * *”.")
CRON_IS_EMPTY = declare(
    "cron_is_empty", "The cron expression is empty. It has 5 parts: minute, hour, day of month, month, day of week."
)
NO_DATE_MATCHES = declare("no_date_matches", "This never runs: no date matches its day, month and day of week.")
CRON_PART_NOT_UNDERSTOOD = declare(
    "cron_part_not_understood",
    "{field} “{text}” is not understood: write *, a number, a range (1-5), a step (*/2) or a list of these (1,3); "
    "{allowed}.",
    field=str,
    text=str,
    allowed=str,
)
CRON_STEP_NEEDED = declare(
    "cron_step_needed", "{field} “{text}”: after the slash comes a step, a number of 1 or more.", field=str, text=str
)
CRON_PART_OUT_OF_RANGE = declare(
    "cron_part_out_of_range", "{field} “{text}”: {allowed}.", field=str, text=str, allowed=str
)
CRON_LIST_TOO_LONG = declare(
    "cron_list_too_long",
    "{field}: a list has at most {most} items. This one has {number}.",
    field=str,
    most=int,
    number=int,
)
UNSUPPORTED_SHORTHAND = declare(
    "unsupported_shorthand", "“{text}” is not supported. Use @hourly, @daily, @weekly, @monthly, @yearly.", text=str
)
NO_BOOT = declare(
    "no_boot",
    "“{text}” is not supported: a schedule does not start with the machine. Use @hourly, @daily, @weekly, @monthly, "
    "@yearly.",
    text=str,
)
DATE_DOES_NOT_EXIST = declare_counted(
    "date_does_not_exist",
    "This never runs: {days} {months} does not exist.",
    "This never runs: {days} {months} do not exist.",
    days=str,
    months=str,
)
CRON_PARTS = declare_counted(
    "cron_parts",
    "“{text}” has {number} part, a cron expression has 5: minute, hour, day of month, month, day of week.",
    "“{text}” has {number} parts, a cron expression has 5: minute, hour, day of month, month, day of week.",
    text=str,
)
ZONE_IN_CRON = declare(
    "zone_in_cron",
    "The time zone has a field of its own: set timezone to “{zone}”, and the expression to “{expression}”.",
    zone=str,
    expression=str,
)
CRON_HAS_NEITHER = declare("cron_has_neither", "A cron trigger has an expression or fields, and this has neither.")
CRON_HAS_BOTH = declare("cron_has_both", "A cron trigger has an expression or fields, not both.")
DATE_NEEDED = declare("date_needed", "A date trigger has a run_at, such as 2027-03-01T09:00:00+01:00.")
TYPE_NEEDED = declare("type_needed", "A trigger has a type: {types}.", types=str)
TRIGGER_IS_AN_OBJECT = declare("trigger_is_an_object", "A trigger is an object such as {example}.", example=str)
TOO_MANY_TRIGGERS = declare("too_many_triggers", "A trigger is made of at most {most} others.", most=int)
INTERVAL_OUT_OF_RANGE = declare("interval_out_of_range", "An interval is from one second to a hundred years.")
TOO_DEEP = declare("too_deep", "At most {most} combinations may lie inside one another.", most=int)
ENDS_BEFORE_IT_STARTS = declare("ends_before_it_starts", "It ends before it starts.")
ENDS_BEFORE_FIRST_RUN_ON = declare("ends_before_first_run_on", "It ends before its first run ({date}).", date=str)
ENDS_BEFORE_FIRST_RUN = declare("ends_before_first_run", "It ends before its first run.")
JITTER_OUT_OF_RANGE = declare(
    "jitter_out_of_range", "The jitter is a whole number of seconds from 0 to {most}.", most=int
)
TRIGGER_IS_NOT_JSON = declare("trigger_is_not_json", "The trigger is not JSON.")
NOT_A_TIME_OF_DAY = declare("not_a_time_of_day", "at: “{text}” is not a time of day. Write it as 02:30.", text=str)
YEAR_LIMITS = declare("year_limits", "{key}: the year is from {first} to {last}.", key=str, first=str, last=str)
YEAR_OUT_OF_RANGE = declare("year_out_of_range", "{key}: the year {year} is out of range.", key=str, year=str)
NOT_A_TIME = declare(
    "not_a_time", "{key}: “{text}” is not a time. Write it as 2027-03-01T09:00:00+01:00.", key=str, text=str
)
TOO_SHORT = declare("too_short", "{name}: 0 is too short.", name=str)
TOO_LARGE = declare("too_large", "{name}: at most {most}.", name=str, most=int)
NOT_A_WHOLE_NUMBER = declare(
    "not_a_whole_number", "{name} must be a whole number, 0 or more, not “{text}”.", name=str, text=str
)
UNKNOWN_KEY = declare("unknown_key", "{trigger} has no “{key}”.", trigger=str, key=str)
UNIT_NEEDED = declare("unit_needed", "{trigger} needs one or more of {units}.", trigger=str, units=str)
TRIGGERS_NEEDED = declare("triggers_needed", "“{kind}” has a list of 1 to {most} triggers.", kind=str, most=int)
UNKNOWN_TYPE = declare("unknown_type", "“{kind}” is not a trigger type. Types are: {types}.", kind=str, types=str)
UNKNOWN_ZONE = declare("unknown_zone", "“{text}” is not a time zone. Choose a region such as Europe/Berlin.", text=str)
UNKNOWN_ZONE_BUT = declare(
    "unknown_zone_but", "“{text}” is not a time zone. Did you mean “{close}”?", text=str, close=str
)
TOO_COSTLY = declare(
    "too_costly",
    "This trigger takes too long to compute: its triggers agree too rarely, or are too many. "
    "Make it of fewer or simpler ones.",
)
UNKNOWN_CALENDAR = declare("unknown_calendar", "There is no calendar “{name}”.", name=str)
UNKNOWN_CALENDAR_BUT = declare(
    "unknown_calendar_but", "There is no calendar “{name}”. Did you mean “{close}”?", name=str, close=str
)
CALENDARS_ARE_NAMES = declare(
    "calendars_are_names", "{name} is a list of one to {most} names of calendars.", name=str, most=int
)
CALENDARS_ON_PARTS = declare("calendars_on_parts", "{name} belongs to the whole trigger, not to one part.", name=str)
OTHERWISE_UNKNOWN = declare("otherwise_unknown", "otherwise is one of: {choices}.", choices=str)
OTHERWISE_ALONE = declare("otherwise_alone", "otherwise needs only_on or not_on.")
TOO_OFTEN_TO_MOVE = declare(
    "too_often_to_move",
    "otherwise “{choice}” needs a trigger with at most {most} fire times a day.",
    choice=str,
    most=int,
)
ALWAYS_LEFT_OUT = declare("always_left_out", "This never runs: its calendars leave out every fire time.")
