"""
Random sequences of edits, pauses, deletions, deployments, rollbacks, renames and load errors against the merge.

Two jobs are declared, one of them with a calendar, and an instance of a template. People also edit the calendar and the
template, take declared values and keep their own. Each sequence starts from the same first deployment, made once, and
ends with one.

The suite plays a few. ``DECLARED_SEQUENCES=500 python -m pytest -n 0 --hypothesis-seed=1`` with this file plays 500,
as ``make thorough`` does.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import conf
from scheduler.core.declarations import Declaration, DeclaredInstance, DeclaredObject
from scheduler.core.states import JobState
from scheduler.models import Declaration as Row
from scheduler.models import DeclaredObject as ObjectRow
from scheduler.models import Job
from scheduler.services import calendars, declarations, jobs, templates
from scheduler.services.declarations import Options, Synchronisation
from scheduler.services.declarations.collecting import Collected, LoadError

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(7200)]

SEQUENCES = int(os.environ.get("DECLARED_SEQUENCES", "12"))
KEYS = ("one", "two")
INSTANCE = "three"
CALENDAR, TEMPLATE = "closed", "report"
FIELDS = ("priority", "max_retries")
DEFAULT = 0
RELEASES = ("1.9", "1.10")

key, field, value = st.sampled_from(KEYS), st.sampled_from(FIELDS), st.integers(0, 3)
any_id, part = st.sampled_from((*KEYS, INSTANCE)), st.sampled_from(("title", "rules"))
release = st.sampled_from(RELEASES)

step = st.one_of(
    st.tuples(st.just("declare"), key, st.dictionaries(field, value)),
    st.tuples(st.just("release"), key, field, value, release),
    st.tuples(st.just("edit"), any_id, field, value),
    st.tuples(st.just("rename"), key),
    st.tuples(st.just("drop"), any_id),
    st.tuples(st.just("deploy"), release, st.booleans(), st.booleans()),
    st.tuples(st.just("edit"), any_id, field, value),
    st.tuples(st.just("pause"), any_id),
    st.tuples(st.just("resume"), any_id),
    st.tuples(st.just("delete"), any_id),
    st.tuples(st.just("take"), any_id),
    st.tuples(st.just("keep"), any_id),
    st.tuples(st.just("deploy"), release, st.just(False), st.booleans()),
    st.tuples(st.just("instance"), value),
    st.tuples(st.just("body"), value),
    st.tuples(st.just("edit_template"), value),
    st.tuples(st.just("calendar"), part, value),
    st.tuples(st.just("edit_calendar"), part, value),
)


def a_body(retries: int) -> dict[str, Any]:
    return {"task": "sample.nothing", "trigger": "0 5 * * *", "priority": "{level}", "max_retries": retries}


def a_part(name: str, value: int) -> Any:
    return f"Closed {value}" if name == "title" else [f"2035-01-{value + 1:02}"]


class World:
    """What the source and people did. A job keeps the id of its first key."""

    def __init__(self) -> None:
        self.source: dict[str, dict[str, int]] = {}
        """Stated fields by the id of the job."""

        self.names: dict[str, list[str]] = {}
        """The keys that a declaration had, the newest last, by the id of the job."""

        self.edits: dict[tuple[str, str], int] = {}
        """A person's value by job and field, until the source states the same or the person takes it back."""

        self.instance_level: int | None = 0
        self.retries = 0
        self.calendar_parts = {name: a_part(name, 0) for name in ("title", "rules")}
        self.object_edits: dict[tuple[str, str], Any] = {}
        """A person's value by object and field."""

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
        if id == INSTANCE:
            self.instance_level = None

    def instance(self, level: int) -> None:
        self.instance_level = level

    def body(self, retries: int) -> None:
        self.retries = retries

    def calendar(self, name: str, value: int) -> None:
        self.calendar_parts[name] = a_part(name, value)

    def deploy(self, release: str, fails: bool, rollback: bool) -> None:
        done = self._apply(release, fails=fails, rollback=rollback)
        for row in Row.objects.filter(is_declared=True):
            for name in FIELDS:
                if self.edits.get((row.job_key, name)) == row.declared.get(name, DEFAULT):
                    del self.edits[row.job_key, name]
        for (key, name), mine in list(self.object_edits.items()):
            if ObjectRow.objects.get(key=key).declared[name] == mine:
                del self.object_edits[key, name]
        self._check_triggers()
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
                definition={"task": "sample.nothing", "trigger": _trigger(id), **stated},
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
                collected=Collected(
                    declarations=declared, errors=errors, objects=self._objects(), instances=self._instances()
                ),
                options=Options(rollback=rollback),
            )

    def _objects(self) -> tuple[DeclaredObject, ...]:
        parameters = [{"name": "level", "type": "integer"}]
        found = {
            ("template", TEMPLATE): {"title": "Report", "parameters": parameters, "body": a_body(self.retries)},
            ("calendar", CALENDAR): dict(self.calendar_parts),
        }
        return tuple(
            DeclaredObject(kind=kind, key=key, definition=definition, source="file", origin="here")
            for (kind, key), definition in found.items()
        )

    def _instances(self) -> tuple[DeclaredInstance, ...]:
        if self.instance_level is None:
            return ()
        facts: dict[str, Any] = {"key": INSTANCE, "template": TEMPLATE, "version": None, "source": "file"}
        return (DeclaredInstance(**facts, parameters={"level": self.instance_level}, origin="here"),)

    def edit(self, id: str, name: str, value: int) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is None or getattr(job, name) == value:
            return
        jobs.update(job=job, actor="ada", **{name: value})
        if value == Row.objects.get(job_key=id).declared.get(name, DEFAULT):
            self.edits.pop((id, name), None)
        else:
            self.edits[id, name] = value

    def take(self, id: str) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is not None and Row.objects.get(job_key=id).is_declared:
            declarations.take(job=job, actor="ada")
            self._check_triggers()
            for name in FIELDS:
                if name in Row.objects.get(job_key=id).declared:
                    self.edits.pop((id, name), None)

    def keep(self, id: str) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is not None:
            declarations.keep(job=job)
            assert declarations.drift(job=job) == ()

    def edit_template(self, retries: int) -> None:
        template = templates.get(slug=TEMPLATE)
        newest = templates.version(template=template)
        mine = {"parameters": newest.parameters, "body": a_body(retries)}
        templates.add_version(template=template, **mine, actor="ada")
        self._edited(TEMPLATE, "definition", mine)

    def edit_calendar(self, name: str, value: int) -> None:
        calendars.update(calendar=calendars.get(name=CALENDAR), actor="ada", **{name: a_part(name, value)})
        self._edited(CALENDAR, name, a_part(name, value))
        self._check_triggers()

    def _edited(self, key: str, name: str, mine: Any) -> None:
        if ObjectRow.objects.get(key=key).declared[name] == mine:
            self.object_edits.pop((key, name), None)
        else:
            self.object_edits[key, name] = mine

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
        self._check_objects()

    def _check_objects(self) -> None:
        if not self.object_edits:
            return
        newest, calendar = templates.current(slug=TEMPLATE), calendars.get(name=CALENDAR)
        stored = {
            (TEMPLATE, "definition"): {"parameters": newest.parameters, "body": newest.body},
            **{(CALENDAR, name): getattr(calendar, name) for name in ("title", "rules")},
        }
        assert {place: stored[place] for place in self.object_edits} == self.object_edits

    def _check_triggers(self) -> None:
        """Nobody edits triggers: calendars that change and deployments leave them without drift."""
        assert not any(each.field == "trigger" for job in Job.objects.all() for each in declarations.drift(job=job))


def _trigger(id: str) -> dict[str, Any]:
    hourly = {"type": "interval", "hours": 1}
    return {**hourly, "not_on": [CALENDAR]} if id == "two" else hourly


def _table() -> dict[str, dict[str, Any]]:
    return {row["pk"]: row for row in Job.objects.values("pk", "state", "version", *FIELDS)}


@pytest.fixture
def deployed() -> World:
    """The first deployment. Every sequence starts from it, and is rolled back to it."""
    world = World()
    for id in KEYS:
        world.play("release", id, "priority", 1, RELEASES[0])
    return world


@settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(step, min_size=5, max_size=20))
def test_no_edit_is_lost_no_pause_undone_and_no_job_deleted(deployed: World, steps: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        world = copy.deepcopy(deployed)
        for action, *arguments in steps:
            world.play(action, *arguments)
        world.play("deploy", RELEASES[-1], False, False)
        transaction.set_rollback(True)
