"""Pydantic's problems with a value, in words for people that can be put into another language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.messages import message, phrase

_WHOLE = message("is not a whole number")
_NUMBER = message("is not a number")
_BOOLEAN = message("is neither true nor false")
_DURATION = message("is not a duration such as 01:30:00 or PT2H")
_DATE = message("is not a date such as 2027-03-01")
_DATE_TIME = message("is not a date and time such as 2027-03-01T09:00+01:00")
_TIME = message("is not a time of day such as 14:30")
_UUID = message("is not a UUID")
_CHOICE = message("is not one of {expected}")
_URL = message("is not an address such as https://example.org/feed.xml")
_LIST = message("is not a list")
_OBJECT = message("is not an object with a value for each name")

_REASONS = {
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": _NUMBER,
    "decimal_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "bool_parsing": _BOOLEAN,
    "bool_type": _BOOLEAN,
    "string_type": message("is not a text"),
    "uuid_parsing": _UUID,
    "uuid_type": _UUID,
    "time_delta_parsing": _DURATION,
    "time_delta_type": _DURATION,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _DATE_TIME,
    "datetime_parsing": _DATE_TIME,
    "datetime_from_date_parsing": _DATE_TIME,
    "datetime_object_invalid": _DATE_TIME,
    "timezone_aware": message("needs an offset, such as 2027-03-01T09:00+01:00"),
    "timezone_naive": message("has an offset; write it without one"),
    "time_type": _TIME,
    "time_parsing": _TIME,
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "url_type": _URL,
    "url_parsing": _URL,
    "url_syntax_violation": _URL,
    "url_scheme": message("does not begin with {expected_schemes}"),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "greater_than": message("must be more than {gt}"),
    "greater_than_equal": message("must be at least {ge}"),
    "less_than": message("must be less than {lt}"),
    "less_than_equal": message("must be at most {le}"),
    "multiple_of": message("must be a multiple of {multiple_of}"),
    "string_too_short": message("is too short: the minimum length is {min_length}"),
    "string_too_long": message("is too long: the maximum length is {max_length}"),
    "string_pattern_mismatch": message("does not match the pattern {pattern}"),
    "too_short": message("has too few items: the minimum is {min_length}"),
    "too_long": message("has too many items: the maximum is {max_length}"),
    "none_required": message("must be left empty"),
    "extra_forbidden": message("is not expected here"),
    "path_type": message("is not a path"),
}
_OWN_ERROR = "value_error"
"""A check of the task's own: its text says what is wrong."""


def reason_of(problem: Mapping[str, Any]) -> str | None:
    """Return why a value does not fit, for the end of a sentence. ``None``: only pydantic has words for it."""
    known = _REASONS.get(problem["type"])
    context = problem.get("ctx") or {}
    if known is None:
        return None
    try:
        return phrase(known, **{name: value for name, value in context.items() if f"{{{name}}}" in known})
    except KeyError:
        return None


def message_of(problem: Mapping[str, Any]) -> str:
    """Return the text of pydantic, or of the task's own check without pydantic's introduction."""
    context = problem.get("ctx") or {}
    return str(context["error"]) if problem["type"] == _OWN_ERROR and "error" in context else str(problem["msg"])
