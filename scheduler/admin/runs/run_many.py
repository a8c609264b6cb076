"""Actions on many runs: those that are ticked, all that match, or everything queued of a job or executor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import addresses, pages
from scheduler.admin.bulk import bulk_admin
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.pages import Done, Question
from scheduler.admin.runs import run_csv
from scheduler.core.states import FINISHED_STATES, RunState, Via
from scheduler.errors import InvalidFilter
from scheduler.models import Run
from scheduler.services import bulk
from scheduler.services.bulk import Selection
from scheduler.services.queries import run_queries, text_search
from scheduler.services.queries.run_queries import RunFilter

ACTIONS = {
    "retry": (gettext_lazy("Retry"), "scheduler.retry_run"),
    "cancel": (gettext_lazy("Cancel"), "scheduler.cancel_run"),
    "delete": (gettext_lazy("Delete from the list"), "scheduler.delete_run"),
}
EXPORT = "export"
_EFFECTS = {
    "retry": gettext_lazy("Each gets one more attempt with its own arguments. Runs that have not ended are rejected."),
    "cancel": gettext_lazy("Queued runs are cancelled at once. Cancellation of running ones is requested."),
    "delete": gettext_lazy("Their rows are deleted for good, with logs and results. Runs that have not ended stay."),
}
_QUESTIONS = {
    "retry": gettext_lazy("Retry these runs?"),
    "cancel": gettext_lazy("Cancel these runs?"),
    "delete": gettext_lazy("Delete these runs?"),
}


def offered(request: HttpRequest) -> list[tuple[str, Any]]:
    """Return the actions that this person may take on many runs."""
    changing = [(name, text) for name, (text, permission) in ACTIONS.items() if request.user.has_perm(permission)]
    return [*changing, (EXPORT, _("Export as CSV"))]


def ask(request: HttpRequest, wanted: RunFilter, *, back: str) -> HttpResponseBase:
    """Ask, and begin the action when the answer is yes."""
    action = request.POST.get("action") or request.GET.get("action", "")
    if action not in (*ACTIONS, EXPORT):
        messages.warning(request, _("Choose an action first."))
        return HttpResponseRedirect(back)
    if action != EXPORT and not request.user.has_perm(ACTIONS[action][1]):
        raise PermissionDenied
    ids = [int(pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME) if pk.isdecimal()][:1000]
    everything = request.POST.get("select_across", request.GET.get("select_across")) == "1"
    if not ids and not everything:
        messages.warning(request, _("Select runs first, or choose all that match."))
        return HttpResponseRedirect(back)
    if action == EXPORT:
        return run_csv.file(run_queries.export(filter=wanted) if everything else run_queries.export_of(ids=ids))
    selection = Selection(filter=_possible(action, wanted)) if everything else Selection(ids=tuple(ids))

    def act() -> Done:
        row = bulk.begin(subject="runs", action=action, selection=selection, actor=pages.actor(request), via=Via.ADMIN)
        bulk.work_off(id=row.pk)
        return Done(sentence="", location=bulk_admin.address(row.pk))

    question = Question(
        title=_title(action, wanted, everything=everything),
        effects=[_counted(selection), *_searched(wanted, everything=everything), str(_EFFECTS[action])],
        button=str(ACTIONS[action][0]),
        back=back,
        is_destructive=action != "retry",
        fields=[
            ("action", action),
            ("select_across", "1" if everything else "0"),
            *((ACTION_CHECKBOX_NAME, str(pk)) for pk in ids),
        ],
    )
    try:
        return pages.confirm(request, question=question, act=act)
    except InvalidFilter as error:
        messages.error(request, told(error))
        return HttpResponseRedirect(back)


def _title(action: str, wanted: RunFilter, *, everything: bool) -> str:
    """Ask by name where a whole queue is emptied."""
    is_queue = everything and action == "cancel" and wanted.states == (RunState.QUEUED,)
    if is_queue and wanted == RunFilter(queue=wanted.queue, states=wanted.states):
        return _("Empty the queue “%s”?") % display.first_line(wanted.queue)
    if is_queue and wanted == RunFilter(executor=wanted.executor, states=wanted.states):
        return _("Cancel all queued runs of the executor “%s”?") % display.first_line(wanted.executor)
    return str(_QUESTIONS[action])


def _possible(action: str, wanted: RunFilter) -> RunFilter:
    """Leave out what the action would refuse anyway: then the total is true."""
    active = (RunState.QUEUED, RunState.RUNNING)
    among = active if action == "cancel" else FINISHED_STATES
    states = tuple(state for state in wanted.states or tuple(RunState) if state in among)
    return replace(wanted, states=states or among)


def _searched(wanted: RunFilter, *, everything: bool) -> list[str]:
    """Say how far a search in texts goes."""
    if not everything or not wanted.texts:
        return []
    most = display.number(text_search.MOST_SEARCHED)
    return [_("Arguments and logs are searched in the newest %s runs that match the other filters.") % most]


def _counted(selection: Selection) -> str:
    if selection.filter is None:
        number = Run.objects.filter(pk__in=selection.ids).count()
    else:
        assert isinstance(selection.filter, RunFilter)  # noqa: S101 - made above
        number = run_queries.runs(filter=selection.filter).order_by().count()
    text = ngettext("%(number)s run is selected.", "%(number)s runs are selected.", number)
    return text % {"number": display.number(number)}


def address(action: str, **wanted: str) -> str:
    """Where the question about all runs is that match."""
    return addresses.runs_many(action=action, select_across="1", **wanted)
