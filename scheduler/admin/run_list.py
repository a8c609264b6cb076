"""The list of runs: tabs, filters that live in the address, pages without counting, errors in groups, CSV."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages, words
from scheduler.admin.run_page import node_name
from scheduler.core.registry import registry
from scheduler.core.states import RunKind
from scheduler.errors import InvalidFilter
from scheduler.models import Job, Node, Run
from scheduler.services import history
from scheduler.services.history import Slice, Wanted

PAGE_SIZE = 50

_TABS = {
    "all": gettext_lazy("All"),
    "failed": gettext_lazy("Failed"),
    "running": gettext_lazy("Running"),
    "queued": gettext_lazy("Queued"),
    "succeeded": gettext_lazy("Succeeded"),
    "missed": gettext_lazy("Missed and skipped"),
    "cancelled": gettext_lazy("Cancelled"),
}
_PLACES = ("before", "after", pages.PART)
_NOTABLE_DELAY = timedelta(seconds=5)
_MOST_NODES = 50
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def show(request: HttpRequest) -> HttpResponseBase:
    try:
        wanted, problem = read(request), ""
    except InvalidFilter as error:
        wanted, problem = Wanted(), str(error)
    if request.GET.get("format") == "csv" and not problem:
        return _csv(wanted)
    is_grouped = request.GET.get("group") == "error"
    context = {"title": _("Runs"), "wanted": wanted, "problem": problem, "is_grouped": is_grouped}
    if is_grouped:
        context |= _groups(request, replace(wanted, tab="failed") if wanted.tab == "all" else wanted)
        region = "scheduler/run_groups_region.html"
    else:
        found, problem = _page(request, wanted)
        context |= _rows(request, found) | {"problem": context["problem"] or problem}
        region = "scheduler/runs_region.html"
    if pages.PART not in request.GET:
        choices = _choices(request, wanted)
        context |= choices | {"links": choices["links"] | context["links"]}
    return pages.show_live(request, "scheduler/runs.html", context, region=region)


def read(request: HttpRequest) -> Wanted:
    """
    Read the filters from the address. The parameters of the plain admin's filters are understood as well.

    :raises InvalidFilter: naming the value
    """
    given = request.GET
    state = given.get("state__exact", "")
    tabs = [name for name, states in history.TABS.items() if state in states]
    tab = given.get("tab") or next(iter(tabs), "all")
    if tab not in history.TABS:
        raise InvalidFilter(f"“{tab[:64]}” is no state of runs.", parameter="tab")
    node = given.get("node", "").strip()
    try:
        node = str(uuid.UUID(node)) if node else ""
    except ValueError:
        raise InvalidFilter(f"“{node[:64]}” is no node.", parameter="node") from None
    kind = given.get("kind") or given.get("kind__exact", "")
    if kind and kind not in set(RunKind):
        raise InvalidFilter(f"“{kind[:64]}” is no kind of run.", parameter="kind")
    texts = {name: given.get(name, "").strip() for name in ("job", "task", "error")}
    for name, text in texts.items():
        if "\x00" in text:
            raise InvalidFilter("NUL occurs in no text that is kept here.", parameter=name)
    return Wanted(
        tab=tab, node=node, kind=kind, since=_instant(given, "since"), until=_instant(given, "until"), **texts
    )


def _instant(given: Any, name: str) -> datetime | None:
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at if timezone.is_aware(at) else timezone.make_aware(at)
    except (ValueError, OverflowError):
        raise InvalidFilter(f"“{text[:64]}” is no time. Write it as 2027-03-01T09:00.", parameter=name) from None


def _page(request: HttpRequest, wanted: Wanted) -> tuple[Slice, str]:
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    try:
        return history.page(wanted=wanted, size=PAGE_SIZE, before=before, after=after), ""
    except InvalidFilter as error:
        return history.page(wanted=wanted, size=PAGE_SIZE), str(error)


def _rows(request: HttpRequest, found: Slice) -> dict[str, Any]:
    names = history.node_names(runs=found.runs)
    keys = {run.job_id for run in found.runs if run.job_id}
    existing = set(Job.objects.filter(pk__in=keys).order_by().values_list("pk", flat=True)) if keys else set()
    links = {"everything": request.path}
    if "before" in request.GET or "after" in request.GET:
        links["newest"] = _address(request)
    if found.newer:
        links["newer"] = _address(request, after=found.newer)
    if found.older:
        links["older"] = _address(request, before=found.older)
    return {"rows": [_row(run, names, existing) for run in found.runs], "links": links}


def _row(run: Run, names: dict[str, str], existing: set[str]) -> dict[str, Any]:
    late = run.started_at - run.due_at if run.started_at else timedelta()
    return {
        "run": run,
        "address": addresses.run(run.pk),
        "label": f"{words.RUN_MARKS[run.state].word if run.state in words.RUN_MARKS else run.state}, #{run.pk}",
        "job_address": addresses.job(run.job_id) if run.job_id in existing else None,
        "late": words.took(late) if late > _NOTABLE_DELAY else "",
        "node": node_name(run, names),
    }


def _groups(request: HttpRequest, wanted: Wanted) -> dict[str, Any]:
    groups = history.group_errors(wanted=wanted)
    return {
        "most_grouped": f"{history.MOST_GROUPED:,}",
        "links": {"everything": request.path},
        "groups": [
            {
                "group": group,
                "address": addresses.run(group.sample),
                "jobs": ", ".join(sorted(map(words.first_line, group.jobs.values()))[:5])
                + (f" … ({len(group.jobs)})" if len(group.jobs) > 5 else ""),
            }
            for group in groups[:100]
        ],
    }


def _choices(request: HttpRequest, wanted: Wanted) -> dict[str, Any]:
    """What the head of the page offers."""
    now = timezone.localtime()
    midnight = datetime.combine(now.date(), time())
    last_night = {
        "since": f"{midnight - timedelta(hours=6):%Y-%m-%dT%H:%M}",
        "until": f"{midnight + timedelta(hours=8):%Y-%m-%dT%H:%M}",
    }
    nodes = Node.objects.order_by("-heartbeat_at").values_list("pk", "name")[:_MOST_NODES]
    return {
        "tabs": [
            {"text": text, "is_current": name == wanted.tab, "address": _address(request, tab=name)}
            for name, text in _TABS.items()
        ],
        "tasks": sorted(registry.names()),
        "nodes": [
            {"pk": pk, "name": f"{name} ({str(pk)[:8]})", "is_chosen": str(pk) == wanted.node} for pk, name in nodes
        ],
        "since": _local(wanted.since),
        "until": _local(wanted.until),
        "is_filtered": wanted != Wanted(tab=wanted.tab),
        "most_exported": f"{history.MOST_EXPORTED:,}",
        "links": {
            "everything": request.path,
            "last_night": _address(request, **last_night),
            "group": _address(request, group="error"),
            "list": _address(request, group=""),
            "csv": _address(request, format="csv", group=""),
        },
    }


def _local(at: datetime | None) -> str:
    return "" if at is None else f"{timezone.localtime(at):%Y-%m-%dT%H:%M}"


def _address(request: HttpRequest, **changes: str) -> str:
    """The address of this list with other parameters, from its newest runs on unless a place is given."""
    query = request.GET.copy()
    for name in (*_PLACES, "format", "state__exact", "kind__exact"):
        query.pop(name, None)
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    text = query.urlencode()
    return f"{request.path}?{text}" if text else request.path


class _Echo:
    """A file whose lines come back from writing them."""

    def write(self, text: str) -> str:
        return text


def _csv(wanted: Wanted) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_csv_lines(wanted), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="runs.csv"'
    return response


def _csv_lines(wanted: Wanted) -> Iterator[str]:
    writer = csv.writer(_Echo())
    columns = (
        "id", "job_key", "job_name", "task", "state", "kind", "attempt", "scheduled_at", "started_at", "finished_at",
        "node", "executor", "requested_by", "reason", "error",
    )  # fmt: skip
    yield writer.writerow(columns)
    for run in history.export(wanted=wanted):
        yield writer.writerow([_cell(getattr(run, column)) for column in columns])


def _cell(value: Any) -> str:
    """What a spreadsheet would take for a formula gets a quote in front."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = words.plain(str(value))
    return f"'{text}" if text.startswith(_FORMULAS) else text
