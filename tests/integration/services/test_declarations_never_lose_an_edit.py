"""
Random sequences of edits, pauses, deletions, deployments, rollbacks, renames and load errors against the merge.

The suite plays a few. ``DECLARED_SEQUENCES=5000 python -m pytest -n 1`` with this file plays as many.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import conf
from scheduler.core.declarations import Declaration
from scheduler.core.states import JobState
from scheduler.models import Declaration as Row
from scheduler.models import Job
from scheduler.services import declarations, jobs
from scheduler.services.declarations import Options, Synchronisation
from scheduler.services.declarations.collecting import Collected, LoadError

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(7200)]

SEQUENCES = int(os.environ.get("DECLARED_SEQUENCES", "50"))
KEYS = ("one", "two")
FIELDS = ("priority", "max_retries")
DEFAULT = 0
RELEASES = ("1.9", "1.10")

key, field, value = st.sampled_from(KEYS), st.sampled_from(FIELDS), st.integers(0, 3)
release = st.sampled_from(RELEASES)

step = st.one_of(
    st.tuples(st.just("declare"), key, st.dictionaries(field, value)),
    st.tuples(st.just("release"), key, field, value, release),
    st.tuples(st.just("edit"), key, field, value),
    st.tuples(st.just("rename"), key),
    st.tuples(st.just("drop"), key),
    st.tuples(st.just("deploy"), release, st.booleans(), st.booleans()),
    st.tuples(st.just("edit"), key, field, value),
    st.tuples(st.just("pause"), key),
    st.tuples(st.just("resume"), key),
    st.tuples(st.just("delete"), key),
)


class World:
    """What the source and people did. A job keeps the id of its first key."""

    def __init__(self) -> None:
        self.source: dict[str, dict[str, int]] = {}
        """Stated fields by the id of the job."""

        self.names: dict[str, list[str]] = {}
        """The keys that a declaration had, the newest last, by the id of the job."""

        self.edits: dict[tuple[str, str], int] = {}
        """A person's value by job and field, until the source states the same or the person takes it back."""

        self.paused: set[str] = set()
        self.deleted: set[str] = set()

    def play(self, action: str, *arguments: Any) -> None:
        getattr(self, action)(*arguments)
        self._check()

    def declare(self, id: str, stated: dict[str, int]) -> None:
        self.source[id] = stated
        self.names.setdefault(id, [id])

    def release(self, id: str, name: str, value: int, release: str) -> None:
        """Change one field in the source and deploy it: the most frequent thing of all."""
        self.declare(id, {**self.source.get(id, {}), name: value})
        self.deploy(release, fails=False, rollback=True)

    def rename(self, id: str) -> None:
        # Only once it was synchronised: the id of a job is its first key.
        if id in self.source and Row.objects.filter(job_key=id).exists():
            self.names[id].append(f"{id}-{len(self.names[id])}")

    def drop(self, id: str) -> None:
        self.source.pop(id, None)

    def deploy(self, release: str, fails: bool, rollback: bool) -> None:
        done = self._apply(release, fails=fails, rollback=rollback)
        for row in Row.objects.filter(is_declared=True):
            for name in FIELDS:
                if self.edits.get((row.job_key, name)) == row.declared.get(name, DEFAULT):
                    del self.edits[row.job_key, name]
        if not fails:
            before = _table()
            again = self._apply(release, fails=False, rollback=rollback)
            assert _table() == before
            assert not again.has_changes, (done, again)

    def _apply(self, release: str, *, fails: bool, rollback: bool) -> Synchronisation:
        declared = tuple(
            Declaration(
                key=self.names[id][-1],
                previous_keys=tuple(self.names[id][:-1]),
                definition={"task": "sample.nothing", "trigger": {"type": "interval", "hours": 1}, **stated},
                source="code",
                origin="here",
            )
            for id, stated in self.source.items()
        )
        errors = (LoadError(source="file", origin="file", text="It cannot be read."),) if fails else ()
        named = dataclasses.replace(conf.get(), release=release)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conf, "get", lambda: named)
            return declarations.apply(
                collected=Collected(declarations=declared, errors=errors), options=Options(rollback=rollback)
            )

    def edit(self, id: str, name: str, value: int) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is None or getattr(job, name) == value:
            return
        jobs.update(job=job, actor="ada", **{name: value})
        if value == Row.objects.get(job_key=id).declared.get(name, DEFAULT):
            self.edits.pop((id, name), None)
        else:
            self.edits[id, name] = value

    def pause(self, id: str) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is not None and job.state == JobState.ACTIVE:
            jobs.pause(job=job, actor="ada")
            self.paused.add(id)

    def resume(self, id: str) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is not None and job.state == JobState.PAUSED:
            jobs.resume(job=job, actor="ada")
            self.paused.discard(id)

    def delete(self, id: str) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is not None:
            jobs.remove(job=job, actor="ada")
            self.deleted.add(id)
            self.paused.discard(id)
            for name in FIELDS:
                self.edits.pop((id, name), None)

    def _check(self) -> None:
        table = _table()
        assert {place: table[place[0]][place[1]] for place in self.edits} == self.edits
        assert {id for id in self.paused if table[id]["state"] != JobState.PAUSED} == set()
        assert set(Row.objects.values_list("job_key", flat=True)) == set(table) | self.deleted
        assert not set(table) & self.deleted


def _table() -> dict[str, dict[str, Any]]:
    return {row["pk"]: row for row in Job.objects.values("pk", "state", "version", *FIELDS)}


@settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(step, min_size=3, max_size=15))
def test_no_edit_is_lost_no_pause_undone_and_no_job_deleted(steps: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        world = World()
        for id in KEYS:
            world.play("release", id, "priority", 1, RELEASES[0])
        for action, *arguments in steps:
            world.play(action, *arguments)
        transaction.set_rollback(True)
