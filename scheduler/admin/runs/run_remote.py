"""Why a run of a remote executor waits: what its broker was told, and who could take it."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.admin.format import display
from scheduler.models import Run
from scheduler.services import nodes
from scheduler.services.nodes import RemoteQueue


def waiting(run: Run, *, now: datetime) -> str:
    """Say how long ago the broker was told of a queued run that may start, and how many workers serve its queue."""
    found = nodes.remote_queue(executor=run.runs_on, now=now)
    return f"{_message(run, found, now=now)} {_workers(found)}"


def _message(run: Run, found: RemoteQueue, *, now: datetime) -> str:
    facts = {"executor": display.first_line(run.runs_on), "error": display.first_line(found.refusal).rstrip(".")}
    if run.rung_at is not None:
        said = _("Sent to the queue “%(executor)s” %(since)s ago, and no worker took it.") % {
            **facts,
            "since": display.span(now - run.rung_at),
        }
        if run.rings > 1:
            said += " " + ngettext("It was sent %(number)s time.", "It was sent %(number)s times.", run.rings) % {
                "number": display.number(run.rings)
            }
        return said
    if found.refusal:
        return _("Waiting: the broker of “%(executor)s” refuses messages (%(error)s).") % facts
    since = display.span(now - run.due_at)
    return _("Waiting for %(since)s to be sent to the queue “%(executor)s”.") % {**facts, "since": since}


def _workers(found: RemoteQueue) -> str:
    return ngettext("%(number)s worker serves this queue.", "%(number)s workers serve this queue.", found.workers) % {
        "number": display.number(found.workers)
    }
