"""
Every reason that the scheduler itself gives for the state of a run, a job or a node, or for a change of a job.

Python and SQL store a reason as its code and its parameters. It is rendered when it is shown: the API, the logs and the
command line use English, the admin the reader's language. A text that a person typed is stored
beside it as text. A code is never changed once it was released. A new one is an entry here and its translation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.errors import SchedulerError
from scheduler.messages import DECLARED, Message, declare, declare_counted, decode, encode, message
from scheduler.untouched import json

# Runs.
BACKFILL = declare("backfill", "Backfill.")
CANCELLED_BEFORE_IT_BEGAN = declare("cancelled_before_it_began", "Cancelled before it began.")
CANCELLED_BY = declare("cancelled_by", "Cancelled by {who} before it began.", who=str)
CANCELLED_WHILE_IT_RAN = declare("cancelled_while_it_ran", "Cancelled while it ran.")
PROCESS_ENDED = declare("process_ended", "Cancelled while it ran; its process was ended.")
LEFT_OUT_BY_TASK = declare("left_out_by_task", "{text}", text=str)
LEFT_OUT_BY_CALENDAR = declare("left_out_by_calendar", "{calendar}: {entry}", calendar=str, entry=str)
LEFT_OUT_OFF_CALENDAR = declare("left_out_off_calendar", "Not on the calendar {calendar}.", calendar=str)
LEFT_OUT_BY_WINDOW = declare("left_out_by_window", "Maintenance window {window}: {entry}", window=str, entry=str)
LEFT_OUT_FOLDED = declare("left_out_folded", "Folded into the run of a later fire time.")
JOB_BROKEN = declare("job_broken", "The job was broken: {reason}", reason=Message)
JOB_DELETED = declare("job_deleted", "The job was deleted.")
JOB_DELETED_BEFORE = declare("job_deleted_before", "The job was deleted before this could start.")
JOB_FINISHED = declare("job_finished", "The job was finished before this could start.")
MOVED_PAST = declare(
    "moved_past",
    "When the job is due was moved past this, or this was folded into a run that exists already.",
)
JOB_PAUSED = declare("job_paused", "The job was paused before this could start.")
NODE_LOST = declare(
    "node_lost",
    "The node {node} stopped without recording an outcome. The run may or may not have finished.",
    node=str,
)
STILL_ACTIVE = declare_counted(
    "still_active",
    "{number} run of this job is still active; max_instances is {most}.",
    "{number} runs of this job are still active; max_instances is {most}.",
    most=int,
)
TIMED_OUT = declare(
    "timed_out",
    "it took longer than its timeout of {seconds:g} s. A thread cannot be ended: "
    "the code goes on until it returns or looks at current_run().stopping.",
    seconds=float,
)
TIMED_OUT_PROCESS = declare(
    "timed_out_process", "it took longer than its timeout of {seconds:g} s; its process was ended.", seconds=float
)
TOO_LATE = declare("too_late", "Noticed {late} s late; the misfire grace time is {grace} s.", late=float, grace=float)
EXPIRED = declare("expired", "It had not begun by {until}, when it expired.", until=str)
TOO_MANY_DUE = declare(
    "too_many_due",
    "More than {most} fire times were due at once; only the newest {most} are run.",
    most=int,
)

WAITS_FOR_LIMIT = declare(
    "waits_for_limit",
    "Waits for its turn under the limit “{limit}”, with priority {priority}.",
    limit=str,
    priority=int,
)

WORKER_LACKS_TASK = declare(
    "worker_lacks_task",
    "The worker {worker} gave it back, because its release does not know the task {task}. It is rung again.",
    worker=str,
    task=str,
)

# Jobs.
CALENDAR_CHANGED = declare("calendar_changed", "The calendar {calendar} was changed.", calendar=str)
CREATED_PAUSED = declare("created_paused", "Created paused.")
ADOPTED_PAUSED = declare("adopted_paused", "It was paused when it was adopted.")
DEFINITION_UNREADABLE = declare(
    "definition_unreadable", "Its definition cannot be read ({type}: {error}).", type=str, error=str
)
FAILED_IN_A_ROW = declare_counted(
    "failed_in_a_row", "Failed {number} time in a row.", "Failed {number} times in a row."
)
NO_FURTHER_FIRE_TIME = declare("no_further_fire_time", "It has no further fire time.")
TRIGGER_UNCOMPUTABLE = declare(
    "trigger_uncomputable", "Its trigger cannot be computed ({type}: {error}).", type=str, error=str
)
TRIGGER_UNUSABLE = declare("trigger_unusable", "Its trigger cannot be used: {problem}", problem=Message)

# Nodes.
INTERPRETER_KEPT = declare(
    "interpreter_kept",
    "Run {runs} keeps the interpreter to itself since {since}: no other thread of the node has its turn.",
    runs=str,
    since=str,
)
NO_HEARTBEAT = declare("no_heartbeat", "No heartbeat since {since}.", since=str)
STOPPED_EARLY = declare_counted(
    "stopped_early", "Stopped while {number} run went on.", "Stopped while {number} runs went on."
)

# Changes.
COPIED_FROM = declare("copied_from", "Copied from “{name}” ({id}).", name=str, id=str)
DECLARED_AGAIN = declare("declared_again", "Declared.")
DECLARED_IN = declare("declared_in", "Declared in release {release}.", release=str)
DECLARED_VALUE_TAKEN = declare("declared_value_taken", "The declared value was taken.")
FROM_TEMPLATE = declare("from_template", "Template {template}, version {version}.", template=str, version=int)
DETACHED = declare("detached", "Detached from the template {template}.", template=str)
TAKEN_OVER_FROM_BEAT = declare("taken_over_from_beat", "Taken over from django-celery-beat.")
IMPORTED = declare("imported", "Imported.")
NO_LONGER_DECLARED = declare("no_longer_declared", "No longer declared.")
NO_LONGER_KEPT = declare("no_longer_kept", "It ended longer ago than is kept.")


RUN_REASONS = {
    TOO_LATE.code: message("Noticed too late"),
    EXPIRED.code: message("Expired in its queue"),
    TOO_MANY_DUE.code: message("Too many due at once"),
    STILL_ACTIVE.code: message("Earlier run still active"),
    JOB_PAUSED.code: message("Job was paused"),
    JOB_BROKEN.code: message("Job was broken"),
    JOB_FINISHED.code: message("Job was finished"),
    JOB_DELETED_BEFORE.code: message("Job was deleted before"),
    MOVED_PAST.code: message("Schedule was moved past it"),
    JOB_DELETED.code: message("Job was deleted"),
    CANCELLED_BEFORE_IT_BEGAN.code: message("Cancelled before it began"),
    CANCELLED_BY.code: message("Cancelled by a person before it began"),
    CANCELLED_WHILE_IT_RAN.code: message("Cancelled while it ran"),
    PROCESS_ENDED.code: message("Cancelled, process ended"),
    TIMED_OUT.code: message("Timeout in a thread"),
    TIMED_OUT_PROCESS.code: message("Timeout in a process"),
    NODE_LOST.code: message("Node lost"),
    BACKFILL.code: message("Backfill"),
    WAITS_FOR_LIMIT.code: message("Waits for a limit"),
    WORKER_LACKS_TASK.code: message("Its task is missing on a worker"),
    LEFT_OUT_BY_TASK.code: message("Skipped by its task"),
    LEFT_OUT_BY_CALENDAR.code: message("On a calendar"),
    LEFT_OUT_OFF_CALENDAR.code: message("Not on a calendar"),
    LEFT_OUT_BY_WINDOW.code: message("Maintenance window"),
    LEFT_OUT_FOLDED.code: message("Folded into a later run"),
}
"""The reasons that a run can have, each with a title for lists to choose from."""

LEFT_OUT = "left_out"
"""Codes that begin so are of runs that were skipped on purpose: no alert counts them. SQL asks for the same prefix."""


def of_error(error: SchedulerError) -> Message:
    """Return what an error says as a reason, also if it was made from plain text."""
    return as_reason(error.message)


def as_reason(said: str) -> Message:
    """Return a text or a phrase as something that can be stored: with a code."""
    return said if isinstance(said, Message) and said.code else DECLARED["text"](text=said)


def code_of(reason: str | None) -> str:
    """Return the code under which a reason is stored, empty without a code or for a typed text."""
    return reason.code if isinstance(reason, Message) else ""


def params_of(reason: str | None) -> dict[str, Any] | None:
    """Return the parameters with which a reason is stored, as JSON can hold them."""
    if not isinstance(reason, Message) or not reason.params:
        return None
    encoded = encode(reason)
    return None if encoded is None else encoded["params"]


def params_json(reason: str | None) -> str | None:
    """Return the parameters as the text of a JSON document."""
    params = params_of(reason)
    return None if params is None else json.dumps(params, ensure_ascii=False)


def text_of(reason: str | None) -> str:
    """Return what is stored as text: what a person typed."""
    return "" if reason is None or code_of(reason) else str(reason)


def columns(reason: str | None, *, text: str = "reason_text") -> dict[str, Any]:
    """Return the columns of a row that has this reason. ``text`` is the name of the field for the typed text."""
    return {"reason_code": code_of(reason), "reason_params": params_of(reason), text: text_of(reason)}


def read(*, code: str, params: Mapping[str, Any] | None, text: str) -> str:
    """
    Return a stored reason: a message if the scheduler gave it, else the text.

    The code of a newer release is shown as it is. Rows of releases without codes have English text.
    """
    if not code:
        return text
    return decode(code, params) or text or code
