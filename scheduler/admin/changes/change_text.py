"""Changes of jobs in words: who did what, through what, and old and new of each thing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses
from scheduler.admin.format import display, policy_text
from scheduler.core.definition import BY_NAME, POLICIES
from scheduler.core.jobs.differences import Difference, brief, notation
from scheduler.core.states import ChangeAction, Via
from scheduler.core.triggers import describe
from scheduler.errors import InvalidTrigger
from scheduler.models import Change, Job
from scheduler.services.queries import job_history
from scheduler.services.sites import reverse

ACTIONS = {
    ChangeAction.CREATED: gettext_lazy("created"),
    ChangeAction.EDITED: gettext_lazy("edited"),
    ChangeAction.PAUSED: gettext_lazy("paused"),
    ChangeAction.RESUMED: gettext_lazy("resumed"),
    ChangeAction.DELETED: gettext_lazy("deleted"),
    ChangeAction.ADOPTED: gettext_lazy("taken over"),
    ChangeAction.RESTORED: gettext_lazy("restored"),
    ChangeAction.BROKEN: gettext_lazy("cannot run"),
    ChangeAction.HEALED: gettext_lazy("can run again"),
    ChangeAction.FINISHED: gettext_lazy("ended"),
    ChangeAction.INITIAL: gettext_lazy("start of the history"),
}
VIA: dict[str, Any] = {
    Via.ADMIN: gettext_lazy("admin"),
    Via.API: gettext_lazy("API"),
    Via.COMMAND: gettext_lazy("command line"),
    Via.CODE: gettext_lazy("code"),
    Via.SCHEDULER: gettext_lazy("scheduler"),
    Via.DATABASE: gettext_lazy("database"),
}
_DONE: dict[str, Any] = {
    ChangeAction.CREATED: gettext_lazy("Created by %s"),
    ChangeAction.EDITED: gettext_lazy("Edited by %s"),
    ChangeAction.PAUSED: gettext_lazy("Paused by %s"),
    ChangeAction.RESUMED: gettext_lazy("Resumed by %s"),
    ChangeAction.DELETED: gettext_lazy("Deleted by %s"),
    ChangeAction.ADOPTED: gettext_lazy("Imported from django-apscheduler by %s"),
    ChangeAction.RESTORED: gettext_lazy("Version restored by %s"),
    ChangeAction.BROKEN: gettext_lazy("Marked as unable to run by %s"),
    ChangeAction.HEALED: gettext_lazy("Marked as able to run again by %s"),
    ChangeAction.FINISHED: gettext_lazy("Finished by %s"),
    ChangeAction.INITIAL: gettext_lazy("History started by %s"),
}
_STATE = ("state", "paused_until", "next_run_time", "template")
"""No part of the definition: restoring does not touch it."""

_INSTANTS = ("paused_until", "next_run_time")
_DIFFED_CHARS = 60
_MOST_LINES = 400


def rows(
    request: HttpRequest, found: Iterable[Change], *, now: datetime, is_newest: bool = False
) -> list[dict[str, Any]]:
    """
    Changes as they are shown, each with the button that would not refuse.

    ``is_newest``: they are the newest of their jobs, so that the first of each that changed more than a state is how
    the job is now.
    """
    shown = []
    current: set[str] = set()
    for change in found:
        version = job_history.job_version(change=change)
        row = _row(request, change, version, now=now)
        if is_newest and version is not None and row["restore"] and change.job_key not in current:
            row["restore"] = None
        if row["is_definition"]:
            current.add(change.job_key)
        shown.append(row)
    return shown


def _row(request: HttpRequest, change: Change, version: int | None, *, now: datetime) -> dict[str, Any]:
    differences = job_history.what(change=change)
    by_state = change.action in (ChangeAction.PAUSED, ChangeAction.RESUMED, ChangeAction.BROKEN, ChangeAction.HEALED)
    shown = [each for each in differences if not (by_state and each.name == "state")]
    return {
        "change": change,
        "sentence": sentence(change),
        "via": VIA.get(change.via, change.via),
        "job_address": None if version is None else addresses.job(change.job_key),
        "history_address": addresses.changes(job=change.job_key),
        "differences": [difference(each, now=now) for each in shown],
        "reason": display.whole_reason(change.reason),
        "is_definition": _is_definition(differences),
        "restore": reverse("admin:scheduler_change_restore", args=[change.pk])
        if may_restore(request, job_exists=version is not None) and _is_restorable(change, differences, version)
        else None,
    }


def may_restore(request: HttpRequest, *, job_exists: bool) -> bool:
    """A job that was deleted is made again, for which one must be allowed to add jobs too."""
    needed = ["scheduler.view_job", "scheduler.change_job", *([] if job_exists else ["scheduler.add_job"])]
    return request.user.has_perms(needed)


def _is_restorable(change: Change, differences: tuple[Difference, ...], version: int | None) -> bool:
    """A pause is undone by resuming, and a deletion of a job that is there again needs no undoing."""
    if version is None:
        return True
    return _is_definition(differences) and change.action != ChangeAction.DELETED


def _is_definition(differences: tuple[Difference, ...]) -> bool:
    """Return whether more than a state changed. Changes without old values are creations and deletions."""
    return not differences or any(each.name not in _STATE for each in differences)


def sentence(change: Change) -> str:
    """``Edited by anna``."""
    if change.via == Via.SCHEDULER:
        who = _("the scheduler")
    elif change.via == Via.DATABASE:
        who = _("the database role “%s”") % change.actor
    else:
        who = display.plain(change.actor) or (_("code") if change.via == Via.CODE else _("someone"))
    if change.restored_version is not None:
        return _("Version %(version)d restored by %(who)s") % {"who": who, "version": change.restored_version}
    if change.action not in _DONE:
        return f"{change.action}: {who}"  # the word of a newer release
    return str(_DONE[change.action]) % who


def difference(each: Difference, *, now: datetime) -> dict[str, Any]:
    """One thing with its name, both values on one line, and what differs within long ones."""
    old, new = each.texts
    if each.name in _INSTANTS:
        old, new = _instant(each.old, now=now), _instant(each.new, now=now)
    elif each.name == "trigger":
        old, new = _both_forms(each.old, old), _both_forms(each.new, new)
    elif each.name == "overlap":
        old, new = (str(policy_text.OVERLAPS.get(value, text)) for value, text in ((each.old, old), (each.new, new)))
    elif (field := BY_NAME.get(each.name)) is not None and field.is_duration:
        old, new = _duration(each.old, old), _duration(each.new, new)
    elif isinstance(each.old, bool) or isinstance(each.new, bool):
        old, new = _yes_or_no(each.old, old), _yes_or_no(each.new, new)
    lines = "" if each.name == "trigger" and old != new else _line_diff(each.old, each.new)
    return {
        "label": label(each.name),
        "old": display.plain(old),
        "new": display.plain(new),
        "lines": display.plain(lines) if lines else "",
    }


def label(name: str) -> str:
    if name.startswith("kwargs."):
        return display.first_line(name.removeprefix("kwargs."), most=60)
    if name == "next_run_time":
        return _("Next run")
    if name == "template":
        return _("Template")
    if name in POLICIES:
        return policy_text.label(name)
    try:
        return capfirst(str(Job._meta.get_field(name).verbose_name))
    except FieldDoesNotExist:
        return name


def told(changes: Iterable[Change]) -> str:
    """These changes in a few words."""
    return "; ".join(text for change in changes if (text := brief(job_history.what(change=change))))


def _both_forms(trigger: Any, text: str) -> str:
    """``every day at 02:00 (cron 0 2 * * *)``."""
    if not isinstance(trigger, Mapping) or notation(trigger) != text:
        return text
    try:
        said = describe(trigger)
    except (InvalidTrigger, TypeError, AttributeError):
        return text
    return text if said == text else f"{said} ({text})"


def _instant(text: Any, *, now: datetime) -> str:
    try:
        return display.clock(datetime.fromisoformat(text), now=now)
    except (TypeError, ValueError):
        return "–"


def _duration(value: Any, text: str) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return display.exactly(value) if is_number else text


def _yes_or_no(value: Any, text: str) -> str:
    return {True: _("yes"), False: _("no")}[value] if isinstance(value, bool) else text


def _line_diff(old: Any, new: Any) -> str:
    """The differences line by line for long values, otherwise an empty text."""
    before, after = _long(old), _long(new)
    if not any("\n" in text or len(text) > _DIFFED_CHARS for text in (before, after)):
        return ""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    return "\n".join([line for line in lines if not line.startswith(("---", "+++", "@@"))][:_MOST_LINES])


def _long(value: Any) -> str:
    if isinstance(value, str) or value is None:
        return value or ""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) if len(text) > _DIFFED_CHARS else text
