"""The kinds of rules, and which parameters each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from scheduler.errors import InvalidRule
from scheduler.messages import message, phrase


class RuleKind(StrEnum):
    """The condition that a rule watches."""

    FAILING = "failing"
    """Final failures in a row: failed, timed out, interrupted. Retries do not count."""

    BROKEN = "broken"
    """The job cannot run: its code is missing, its arguments or its trigger are invalid."""

    LATE = "late"
    """Due for a duration, and not begun."""

    DEADLINE = "deadline"
    """Not finished a duration after its fire time."""

    SILENT = "silent"
    """Without a success for a duration, also when it never ran."""

    SLOW = "slow"
    """Still running after a duration, or after a multiple of its usual run time."""

    DROPPED = "dropped"
    """More fire times missed or skipped within a duration than allowed."""

    RESULT = "result"
    """A value of the result compared, over runs in a row."""

    SYSTEM = "system"
    """The scheduler itself: no live node, overdue work, a recorder behind, a wrong clock, alerts that do not leave."""


class Scope(StrEnum):
    """The jobs that a rule watches, and the enqueued tasks if its kind is ``failing`` and it names no tag or job."""

    EVERYTHING = "everything"
    TAG = "tag"
    TASK = "task"
    QUEUE = "queue"
    JOB = "job"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    """Passes quiet hours."""


class Operator(StrEnum):
    """The comparisons of a rule of the kind ``result``."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


class ClosedBecause(StrEnum):
    """Why an incident ended."""

    RECOVERED = "recovered"
    """The condition does not hold any more: a success, a healed definition, a healthy check."""

    PAUSED = "paused"
    RESUMED = "resumed"
    FINISHED = "finished"
    EDITED = "edited"
    DELETED = "deleted"
    RULE_CHANGED = "rule_changed"
    RULE_DELETED = "rule_deleted"
    CLOSED_BY_HAND = "closed_by_hand"


CLOSED_BECAUSE: dict[str, str] = {
    ClosedBecause.RECOVERED: message("It has recovered."),
    ClosedBecause.PAUSED: message("The job was paused."),
    ClosedBecause.RESUMED: message("The job was resumed."),
    ClosedBecause.FINISHED: message("The job has ended."),
    ClosedBecause.EDITED: message("The job was edited."),
    ClosedBecause.DELETED: message("The job was deleted."),
    ClosedBecause.RULE_CHANGED: message("The rule was changed, or switched off."),
    ClosedBecause.RULE_DELETED: message("The rule was deleted."),
    ClosedBecause.CLOSED_BY_HAND: message("It was closed by hand."),
}


class MessageKind(StrEnum):
    """The occasion of a notification."""

    OPENED = "opened"
    CHANGED = "changed"
    REMINDER = "reminder"
    ESCALATED = "escalated"
    RECOVERED = "recovered"
    DIGEST = "digest"
    TEST = "test"


class NotificationState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    SUPERSEDED = "superseded"
    """Never sent, because a message to the same channel said it already."""

    FAILED = "failed"
    """Given up after the last try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number that a kind of rules takes."""

    default: float | None
    least: float
    most: float
    is_required: bool = True
    is_whole: bool = False


_DURATION = (1.0, 366 * 86_400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The parameters of a kind of rules. Each name is a column of the rule."""

    sentence: str
    parameters: Mapping[str, Parameter]
    has_scope: bool = True


def _seconds(default: float | None, *, is_required: bool = True) -> Parameter:
    return Parameter(default=default, least=_DURATION[0], most=_DURATION[1], is_required=is_required)


def _count(default: int) -> Parameter:
    return Parameter(default=default, least=1, most=1_000_000, is_whole=True)


KINDS: dict[RuleKind, Kind] = {
    RuleKind.FAILING: Kind(
        sentence=message("fails this many times in a row, not counting retries"), parameters={"threshold": _count(1)}
    ),
    RuleKind.BROKEN: Kind(sentence=message("cannot run"), parameters={}),
    RuleKind.LATE: Kind(
        sentence=message("has been due for this long and has not started"), parameters={"seconds": _seconds(300.0)}
    ),
    RuleKind.DEADLINE: Kind(
        sentence=message("has not ended this long after its scheduled time"), parameters={"seconds": _seconds(3600.0)}
    ),
    RuleKind.SILENT: Kind(
        sentence=message("has not succeeded for this long"), parameters={"seconds": _seconds(86_400.0)}
    ),
    RuleKind.SLOW: Kind(
        sentence=message("runs longer than this, or than this many times its usual duration"),
        parameters={
            "seconds": _seconds(None, is_required=False),
            "factor": Parameter(default=None, least=1.1, most=1000.0, is_required=False),
            "samples": Parameter(default=10, least=2, most=1000, is_whole=True),
        },
    ),
    RuleKind.DROPPED: Kind(
        sentence=message("misses or skips more runs than this within this time"),
        parameters={"threshold": _count(3), "seconds": _seconds(86_400.0)},
    ),
    RuleKind.RESULT: Kind(
        sentence=message("returns this value in this many runs in a row"), parameters={"threshold": _count(1)}
    ),
    RuleKind.SYSTEM: Kind(sentence=message("the scheduler itself has a problem"), parameters={}, has_scope=False),
}

Word = TypeVar("Word", bound=StrEnum)

PARAMETERS = ("threshold", "seconds", "factor", "samples")


def check_rule(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the columns of a rule, complete and checked.

    ``given`` has ``kind`` and any of ``scope``, ``target``, ``severity``, ``threshold``, ``seconds``, ``factor``,
    ``samples``, ``path``, ``operator``, ``value`` and ``escalate_after``.

    :raises InvalidRule: naming the field, its value and what is allowed
    """
    kind = _member(RuleKind, "kind", given.get("kind"))
    columns: dict[str, Any] = {
        "kind": kind,
        "severity": _member(Severity, "severity", given.get("severity") or Severity.WARNING),
        **_scope(KINDS[kind], given),
        **_parameters(kind, given),
        **_comparison(kind, given),
        "escalate_after": _number("escalate_after", given.get("escalate_after"), _seconds(None, is_required=False)),
    }
    if kind is RuleKind.SLOW and columns["seconds"] is None and columns["factor"] is None:
        raise InvalidRule(phrase("A rule of the kind slow needs seconds or factor."), field="seconds")
    return columns


def _member(words: type[Word], field: str, value: Any) -> Word:
    try:
        return words(value)
    except ValueError:
        raise InvalidRule(
            phrase(
                "{field} is “{value}”. It must be {allowed}.", field=field, value=f"{value}", allowed=", ".join(words)
            ),
            field=field,
        ) from None


def _scope(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    if not kind.has_scope:
        return {"scope": Scope.EVERYTHING, "target": ""}
    scope = _member(Scope, "scope", given.get("scope") or Scope.EVERYTHING)
    target = given.get("target") or ""
    if not isinstance(target, str) or len(target) > 255 or not target.isprintable():
        raise InvalidRule(
            phrase("target is “{value}”. It must be a text of at most 255 characters.", value=f"{target}"[:80]),
            field="target",
        )
    if scope is Scope.EVERYTHING:
        return {"scope": scope, "target": ""}
    if not target:
        problem = phrase("target is empty. It must name the {scope}.", scope=phrase(scope.value))
        raise InvalidRule(problem, field="target")
    return {"scope": scope, "target": target}


def _parameters(kind: RuleKind, given: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    taken = KINDS[kind].parameters
    for name in PARAMETERS:
        parameter, value = taken.get(name), given.get(name)
        if parameter is None:
            columns[name] = None  # of another kind: a form sends every field
        else:
            columns[name] = _number(name, parameter.default if value is None else value, parameter)
    return columns


def _number(name: str, value: Any, parameter: Parameter) -> float | int | None:
    if value is None and not parameter.is_required:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not parameter.least <= value <= parameter.most or (parameter.is_whole and value != int(value)):
        raise InvalidRule(
            phrase(
                "{name} is “{value}”. It must be a number from {low:g} to {high:g}.",
                name=name,
                value=f"{value}",
                low=parameter.least,
                high=parameter.most,
            ),
            field=name,
        )
    return int(value) if parameter.is_whole else float(value)


def _comparison(kind: RuleKind, given: Mapping[str, Any]) -> dict[str, Any]:
    if kind is not RuleKind.RESULT:
        return {"path": "", "operator": "", "value": None}
    path, value = given.get("path") or "", given.get("value")
    if not isinstance(path, str) or not path or len(path) > 255 or not all(path.split(".")):
        raise InvalidRule(
            phrase(
                "path is “{value}”. It must be names with dots between them, such as documents.new.",
                value=f"{path}"[:80],
            ),
            field="path",
        )
    operator = _member(Operator, "operator", given.get("operator"))
    if value is None or not isinstance(value, str | int | float | bool):
        raise InvalidRule(
            phrase("value is “{value}”. It must be a number, a text, or true or false.", value=f"{value}"),
            field="value",
        )
    if operator not in (Operator.EQUAL, Operator.UNEQUAL) and (
        isinstance(value, bool) or not isinstance(value, int | float)
    ):
        raise InvalidRule(
            phrase("value is “{value}”; with {operator} it is a number.", value=f"{value}", operator=operator),
            field="value",
        )
    return {"path": path, "operator": operator, "value": value}
