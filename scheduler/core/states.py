"""
The states of jobs, runs and nodes.

A run goes ``queued → running → succeeded | failed | timed_out | cancelled | interrupted``, or is born finished as
``missed`` or ``skipped``. Finished states are final: a retry or a recovery is a new attempt.
"""

from __future__ import annotations

from enum import StrEnum


class _Choices(StrEnum):
    """Stored value, API value and metric label are one word. ``pairs`` are for Django's fields."""

    @classmethod
    def pairs(cls) -> list[tuple[str, str]]:
        return [(member.value, member.value.replace("_", " ")) for member in cls]


class JobState(_Choices):
    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"
    BROKEN = "broken"


class RunState(_Choices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    MISSED = "missed"
    SKIPPED = "skipped"


class RunKind(_Choices):
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    RETRY = "retry"
    RECOVERY = "recovery"
    ENQUEUED = "enqueued"


class NoteKind(_Choices):
    """The kinds of notes on a run."""

    NOTE = "note"
    TAKEN = "taken"
    """Its author works on the failure from here on."""

    RELEASED = "released"
    """From here on, no longer."""


class NodeKind(_Choices):
    """The process that a row of nodes stands for: a node, or a worker of the remote executors of a kind."""

    NODE = "node"
    CELERY = "celery"
    TASKS = "tasks"


class NodeState(_Choices):
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    LOST = "lost"


class JobSource(_Choices):
    ADMIN = "admin"
    API = "api"
    CODE = "code"


class ChangeAction(_Choices):
    """The action on a job."""

    CREATED = "created"
    EDITED = "edited"
    PAUSED = "paused"
    RESUMED = "resumed"
    DELETED = "deleted"
    ADOPTED = "adopted"
    RESTORED = "restored"
    BROKEN = "broken"
    HEALED = "healed"
    FINISHED = "finished"
    INITIAL = "initial"
    """The state at the start of the history."""


class Via(_Choices):
    """Through what a job was changed."""

    ADMIN = "admin"
    API = "api"
    COMMAND = "command"
    CODE = "code"
    SCHEDULER = "scheduler"
    """By itself: a node that found the job broken, healed, or failing too often. The clean-up."""

    DATABASE = "database"
    """Past the services, with SQL or the models: the author is unknown."""


class Overlap(_Choices):
    """The handling of a fire time while ``max_instances`` runs of the job are active."""

    SKIP = "skip"
    QUEUE = "queue"
    """One run waits for its turn. Further fire times are folded into it."""


ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING)
FINISHED_STATES = tuple(state for state in RunState if state not in ACTIVE_STATES)
BORN_FINISHED_STATES = (RunState.MISSED, RunState.SKIPPED)
