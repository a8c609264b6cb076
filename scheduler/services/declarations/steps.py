"""The steps of a synchronisation, the effect on each declared job or object, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scheduler.core.declarations import Declaration, Drift
from scheduler.core.states import JobSource
from scheduler.models import Job


class Action(StrEnum):
    """The action for one declared job."""

    CREATE = "create"
    ADOPT = "adopt"
    """A job that exists already belongs to the declaration from now on, changed where it differs."""

    UPDATE = "update"
    UNCHANGED = "unchanged"
    PAUSE = "pause"
    """Its source dropped it."""

    RELEASE = "release"
    """Its source dropped it, and it goes on as an ordinary job."""

    DELETED = "deleted"
    """A person deleted the job: it stays deleted."""

    NEWER = "newer"
    """A newer release declares it, so this release leaves it unchanged."""

    REFUSED = "refused"


CHANGES = frozenset({Action.CREATE, Action.ADOPT, Action.UPDATE, Action.PAUSE, Action.RELEASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a synchronisation."""

    prune: str = "pause"
    """Of jobs that their source dropped: ``pause`` them, or ``keep`` them as ordinary jobs."""

    adopt: bool = False
    """Take over jobs that exist already: of the same id, or with the same task, arguments and trigger."""

    recreate: bool = False
    """Create jobs again that a person deleted."""

    rollback: bool = False
    """Let this release win over a newer one."""

    keep: bool = False
    """Change no field of a job that is taken over: where it differs is drift."""

    paused: bool = False
    """Create jobs paused."""

    job_source: JobSource = JobSource.CODE
    """The ``source`` of jobs that are created."""

    overwrite: bool = False
    """Write the declared value of every field, also where a person changed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The effect of a synchronisation on one declaration."""

    key: str
    action: Action
    source: str
    kind: str = "job"
    """``job``, or a kind of declared objects."""

    origin: str = ""
    job: str = ""
    """The id of the job, empty if it does not exist yet."""

    write: Mapping[str, Any] = field(default_factory=dict)
    """New values of the job, by flat field. Secrets are in plain text: see ``comparing.remembered``."""

    before: Mapping[str, Any] = field(default_factory=dict)
    """The stored values that ``write`` replaces."""

    drift: tuple[Drift, ...] = ()
    conflicts: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()
    """Fields that drifted and that a person chose to keep: no drift until the source changes them."""

    resumes: bool = False
    """The job was paused because its source had dropped it, and is declared again."""

    stays_paused: bool = False
    tags: tuple[str, ...] = ()
    """Of the job as it is stored."""

    renames: str = ""
    """The former key."""

    text: str = ""
    """The reason for doing no change, or the error."""

    flat: Mapping[str, Any] = field(default_factory=dict)
    """All that is declared, flat."""

    noted: Mapping[str, Any] = field(default_factory=dict)
    """The same as it is remembered: with digests in place of secrets."""

    stored: Job | None = field(default=None, repr=False, compare=False)
    """The job, locked if the plan is to be carried out."""

    declaration: Declaration | None = None
    """``None`` if the declaration is gone."""

    @property
    def written(self) -> Mapping[str, Any]:
        """Every field that gets a value: those that change, or all of what is created."""
        return self.flat if self.action is Action.CREATE else self.write

    @property
    def has_changes(self) -> bool:
        return self.action in CHANGES
