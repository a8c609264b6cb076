"""
The one table of what a job is made of.

Validation, the API's schema, the form's groups and the table in ``docs/jobs.md`` come from it. A test compares the
model and the column lists of the database's triggers with it. ``CONTRIBUTING.md`` says how to add a policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypedDict

from scheduler.core.states import Overlap


class Kind(StrEnum):
    TEXT = "text"
    WHOLE_NUMBER = "whole number"
    NUMBER = "number"
    WHOLE_SECONDS = "seconds"
    """Fractions are cut off."""

    YES_NO = "true or false"
    CHOICE = "choice"
    JSON = "JSON"


class Group(StrEnum):
    """Where the form asks for it."""

    WHAT = "what"
    WHEN = "when"
    RULES = "rules"
    FAILURES = "failures"
    RARE = "rare"


class Source(StrEnum):
    """Where the default of a new job comes from, if not from this table."""

    TASK = "task"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a person may say about a job."""

    name: str
    label: str
    form_label: str = ""
    """The question in the form, where the label alone is unclear."""

    help: str = ""
    form_help: str = ""
    """The help in the form, where units or names differ from those of the API."""

    kind: Kind
    group: Group
    default: Any = None
    default_from: Source | None = None
    low: float | None = None
    high: float | None = None
    max_length: int | None = None
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False
    is_duration: bool = False
    """A number of seconds. Python may give a ``timedelta`` as well."""

    is_policy: bool = True
    is_inspected: bool = False
    """A node inspects the job when raw SQL changes it."""

    wakes_nodes: bool = False
    """Nodes are notified when it changes, whoever changes it."""


def gettext_noop(text: str) -> str:
    """Mark a text for translation, as ``django.utils.translation.gettext_noop`` does."""
    return text


_ = gettext_noop

FIELDS = (
    Field(name="name", label=_("name"), kind=Kind.TEXT, group=Group.WHAT, default="", max_length=255, is_policy=False),
    Field(
        name="task",
        label=_("task"),
        help=_("The name of a registered task."),
        kind=Kind.TEXT,
        group=Group.WHAT,
        max_length=255,
        is_policy=False,
        is_inspected=True,
        wakes_nodes=True,
    ),
    Field(
        name="args",
        label=_("positional arguments"),
        kind=Kind.JSON,
        group=Group.RARE,
        default=list,
        is_policy=False,
        is_inspected=True,
        wakes_nodes=True,
    ),
    Field(
        name="kwargs",
        label=_("arguments"),
        kind=Kind.JSON,
        group=Group.WHAT,
        default=dict,
        is_policy=False,
        is_inspected=True,
        wakes_nodes=True,
    ),
    Field(
        name="tags",
        label=_("tags"),
        help=_("For filtering."),
        kind=Kind.JSON,
        group=Group.WHAT,
        default=list,
        is_policy=False,
    ),
    Field(
        name="trigger",
        label=_("trigger"),
        help=_("When the job fires, as JSON."),
        kind=Kind.JSON,
        group=Group.WHEN,
        is_policy=False,
        is_inspected=True,
        wakes_nodes=True,
    ),
    Field(
        name="description", label=_("description"), kind=Kind.TEXT, group=Group.FAILURES, default="", is_policy=False
    ),
    Field(
        name="overlap",
        label=_("overlap"),
        help=_("When the maximum number of runs is active: skip this run, or queue one run."),
        form_label=_("If a run is still active"),
        kind=Kind.CHOICE,
        group=Group.RULES,
        default=Overlap.SKIP,
        max_length=8,
        choices=tuple(Overlap),
        wakes_nodes=True,
    ),
    Field(
        name="max_instances",
        label=_("max instances"),
        help=_("Most runs that may be active at once, over all nodes."),
        form_label=_("Parallel runs"),
        form_help=_("Most runs that may be active at once, over all nodes. APScheduler calls it max_instances."),
        kind=Kind.WHOLE_NUMBER,
        group=Group.RULES,
        default=1,
        default_from=Source.SETTINGS,
        low=1,
        high=10_000,
        wakes_nodes=True,
    ),
    Field(
        name="coalesce",
        label=_("coalesce"),
        help=_("After an outage run once, not once for each fire time that passed."),
        form_label=_("Combine missed runs"),
        form_help=_("After an outage run once, not once for each scheduled time. APScheduler calls it coalesce."),
        kind=Kind.YES_NO,
        group=Group.RULES,
        default=True,
        default_from=Source.SETTINGS,
        wakes_nodes=True,
    ),
    Field(
        name="misfire_grace_time",
        is_duration=True,
        label=_("misfire grace time"),
        help=_("Seconds. A run that starts later than this is recorded as missed. Empty: no limit."),
        form_label=_("Allowed lateness"),
        form_help=_(
            "A run that starts later than this, such as 15 min, is recorded as missed. Leave empty for no limit. "
            "APScheduler calls it misfire_grace_time."
        ),
        kind=Kind.WHOLE_SECONDS,
        group=Group.RULES,
        default=300,
        default_from=Source.SETTINGS,
        low=1,
        high=2_147_483_647,
        may_be_empty=True,
        wakes_nodes=True,
    ),
    Field(
        name="timeout",
        is_duration=True,
        label=_("timeout"),
        help=_("Seconds a run may take. Empty: what the task declares."),
        form_label=_("Time limit"),
        form_help=_("Longest time that a run may take, such as 90 s or 2 h. Leave empty for the limit of the task."),
        kind=Kind.NUMBER,
        group=Group.RULES,
        low=0.1,
        high=31_536_000,
        may_be_empty=True,
    ),
    Field(
        name="max_retries",
        label=_("max retries"),
        help=_("Number of times that a run that failed or timed out is tried again."),
        form_label=_("Retries"),
        kind=Kind.WHOLE_NUMBER,
        group=Group.FAILURES,
        default=0,
        low=0,
        high=1000,
    ),
    Field(
        name="retry_delay",
        is_duration=True,
        label=_("retry delay"),
        help=_("Seconds before the first retry."),
        form_label=_("Delay before the first retry"),
        form_help=_("Such as 30 s or 5 min."),
        kind=Kind.NUMBER,
        group=Group.FAILURES,
        default=30.0,
        low=0,
        high=604_800,
    ),
    Field(
        name="pause_after_failures",
        label=_("pause after failures"),
        help=_("Pause the job after this many consecutive failures, retries excluded. Empty: never."),
        form_label=_("Pause after failures"),
        form_help=_("Pause the job after this many consecutive failures, retries excluded. Leave empty for never."),
        kind=Kind.WHOLE_NUMBER,
        group=Group.FAILURES,
        low=1,
        high=1_000_000,
        may_be_empty=True,
    ),
    Field(
        name="rerun_if_interrupted",
        label=_("rerun if interrupted"),
        help=_("Run again when a node dies in the middle of a run."),
        form_label=_("Rerun if the node crashes"),
        kind=Kind.YES_NO,
        group=Group.FAILURES,
        default=False,
        default_from=Source.TASK,
    ),
    Field(
        name="executor",
        label=_("executor"),
        kind=Kind.TEXT,
        group=Group.RARE,
        default="default",
        default_from=Source.TASK,
        max_length=64,
        wakes_nodes=True,
    ),
    Field(
        name="priority",
        label=_("priority"),
        help=_("Higher runs first when nodes are busy."),
        kind=Kind.WHOLE_NUMBER,
        group=Group.RARE,
        default=0,
        low=-1000,
        high=1000,
        wakes_nodes=True,
    ),
    Field(
        name="queue",
        label=_("queue"),
        help=_("The queue in which its runs wait. Nodes serve all queues or some, and a queue can be paused."),
        kind=Kind.TEXT,
        group=Group.RARE,
        default="default",
        max_length=64,
        wakes_nodes=True,
    ),
    Field(
        name="retry_backoff",
        label=_("retry backoff"),
        help=_("Each further delay is this many times longer."),
        form_label=_("Growth of the delay"),
        kind=Kind.NUMBER,
        group=Group.RARE,
        default=2.0,
        low=1,
        high=100,
    ),
    Field(
        name="retry_delay_cap",
        is_duration=True,
        label=_("retry delay cap"),
        help=_("Seconds. Upper limit for the delay, before the random part."),
        form_label=_("Longest delay"),
        form_help=_("Upper limit for the delay before a retry, such as 1 h, before the random part."),
        kind=Kind.NUMBER,
        group=Group.RARE,
        default=3600.0,
        low=0,
        high=604_800,
    ),
    Field(
        name="retry_jitter",
        label=_("retry jitter"),
        help=_("A random part of up to this fraction is added to each delay."),
        form_label=_("Random extra delay"),
        kind=Kind.NUMBER,
        group=Group.RARE,
        default=0.1,
        low=0,
        high=1,
    ),
)

BY_NAME = {field.name: field for field in FIELDS}
NAMES = tuple(BY_NAME)
POLICIES = tuple(field.name for field in FIELDS if field.is_policy)

Seconds = float | timedelta


class PolicyValues(TypedDict, total=False):
    """The policies of a job. Their defaults and limits are in ``docs/jobs.md``."""

    executor: str
    queue: str
    priority: int
    coalesce: bool
    max_instances: int
    misfire_grace_time: Seconds | None
    overlap: str
    timeout: Seconds | None
    max_retries: int
    retry_delay: Seconds
    retry_backoff: float
    retry_delay_cap: Seconds
    retry_jitter: float
    pause_after_failures: int | None
    rerun_if_interrupted: bool


STATE_COLUMNS = ("version", "state", "state_reason", "source", "paused_until")
"""Columns of a job that the change history records beside its definition."""


def named(*, group: Group) -> tuple[str, ...]:
    """Return the names of a group, in the order of the table."""
    return tuple(field.name for field in FIELDS if field.group is group)


def history_columns() -> frozenset[str]:
    """The columns whose changes the trigger ``scheduler_note_change`` records."""
    return frozenset((*NAMES, *STATE_COLUMNS))


def inspected_columns() -> frozenset[str]:
    """The columns whose changes by raw SQL the trigger ``scheduler_job_changed`` has a node inspect."""
    return frozenset((*(field.name for field in FIELDS if field.is_inspected), "state"))


def notified_columns() -> frozenset[str]:
    """The columns whose changes the trigger ``scheduler_notify_jobs`` notifies the nodes of."""
    return frozenset((*(field.name for field in FIELDS if field.wakes_nodes), "state", "version", "needs_inspection"))
