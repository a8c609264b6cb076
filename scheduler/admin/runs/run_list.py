"""The list of runs: tabs, filters that live in the address, pages without counting, errors in groups, CSV."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.dashboard import charts
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.runs import run_csv, run_many, run_notes, run_results
from scheduler.admin.runs.run_page import node_name
from scheduler.core import error_messages
from scheduler.core.reasons import RUN_REASONS
from scheduler.core.states import RunKind, RunState
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidFilter
from scheduler.messages import phrase
from scheduler.models import Node, Run
from scheduler.services.queries import error_groups, overview, run_queries, text_search
from scheduler.services.queries.error_groups import ErrorGroup
from scheduler.services.queries.paging import Page
from scheduler.services.queries.run_queries import RunFilter
from scheduler.services.runs import notes

PAGE_SIZE = 50

_TABS: dict[str, tuple[Any, tuple[RunState, ...]]] = {
    "all": (gettext_lazy("All"), ()),
    "failed": (gettext_lazy("Failed"), run_queries.UNSUCCESSFUL),
    "running": (gettext_lazy("Running"), (RunState.RUNNING,)),
    "queued": (gettext_lazy("Queued"), (RunState.QUEUED,)),
    "succeeded": (gettext_lazy("Succeeded"), (RunState.SUCCEEDED,)),
    "missed": (gettext_lazy("Missed and skipped"), (RunState.MISSED, RunState.SKIPPED)),
    "cancelled": (gettext_lazy("Cancelled"), (RunState.CANCELLED,)),
}
_TEXTS = ("job", "name", "executor", "queue", "tag", "task", "error", "like", "argument", "log")
_SLOWEST = "slowest"
_NOTABLE_DELAY = timedelta(seconds=5)
_MOST_NODES = 50


def show(request: HttpRequest) -> HttpResponseBase:
    try:
        (tab, wanted), problem = read(request), ""
    except InvalidFilter as error:
        (tab, wanted), problem = ("all", RunFilter()), told(error)
    if request.GET.get("format") == "csv" and not problem:
        return run_csv.file(run_queries.export(filter=wanted))
    is_part = pages.PART in request.GET
    nodes = {} if is_part else {str(pk): name for pk, name in _nodes()}
    is_grouped = request.GET.get("group") == "error"
    context = {"title": _("Runs"), "wanted": wanted, "tab": tab, "problem": problem, "is_grouped": is_grouped}
    if is_grouped:
        context |= _groups(request, wanted if wanted.states else replace(wanted, states=run_queries.UNSUCCESSFUL))
        region = "scheduler/runs/run_groups_region.html"
    else:
        found, problem = _page(request, wanted)
        context |= _rows(request, found, nodes) | {"problem": context["problem"] or problem}
        region = "scheduler/runs/runs_region.html"
    if not is_part:
        choices = _choices(request, tab, wanted, nodes)
        context |= choices | {"links": choices["links"] | context["links"]}
    if wanted.texts and not is_part:
        # Each look reads many texts, so the page does not look again by itself.
        return pages.show(request, "scheduler/runs/runs.html", {**context, "region": region})
    return pages.show_live(request, "scheduler/runs/runs.html", context, region=region)


def read(request: HttpRequest) -> tuple[str, RunFilter]:
    """
    Read the tab and the filters from the address. The parameters of the plain admin's filters are understood as well.

    :raises InvalidFilter: naming the value
    """
    given = request.GET
    state = given.get("state__exact", "")
    tabs = [name for name, (_text, states) in _TABS.items() if state in states]
    tab = given.get("tab") or next(iter(tabs), "all")
    if tab not in _TABS:
        raise InvalidFilter(error_messages.NOT_A_RUN_STATE(text=tab[:64]), parameter="tab")
    node = given.get("node", "").strip()
    try:
        node = str(uuid.UUID(node)) if node else ""
    except ValueError:
        raise InvalidFilter(error_messages.NOT_A_NODE(text=node[:64]), parameter="node") from None
    kind = given.get("kind") or given.get("kind__exact", "")
    if kind and kind not in set(RunKind):
        raise InvalidFilter(error_messages.NOT_A_RUN_KIND(text=kind[:64]), parameter="kind")
    reason = given.get("reason_code", "").strip()
    texts = _texts(request)
    wanted = RunFilter(
        states=_TABS[tab][1],
        node=node,
        kinds=(kind,) if kind else (),
        reasons=run_queries.known_reasons([reason] if reason else []),
        since=_instant(given, "since"),
        until=_instant(given, "until"),
        **texts,
    )
    return tab, wanted


def _texts(request: HttpRequest) -> dict[str, str]:
    """:raises InvalidFilter: a text cannot be searched, or this person may not"""
    texts = {name: request.GET.get(name, "").strip() for name in _TEXTS}
    for name, text in texts.items():
        if "\x00" in text:
            raise InvalidFilter(error_messages.FILTER_HOLDS_NUL(), parameter=name)
    if (texts["argument"] or texts["log"]) and not run_results.sees_output(request):
        searched = "argument" if texts["argument"] else "log"
        raise InvalidFilter(error_messages.MAY_NOT_SEARCH_OUTPUT(), parameter=searched)
    return texts


def _instant(given: Any, name: str) -> datetime | None:
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at if timezone.is_aware(at) else timezone.make_aware(at)
    except (ValueError, OverflowError):
        raise InvalidFilter(error_messages.NOT_AN_INSTANT(text=text[:64]), parameter=name) from None


def _page(request: HttpRequest, wanted: RunFilter) -> tuple[Page[Run], str]:
    if _is_slowest_first(request):
        return Page(rows=run_queries.slowest(filter=wanted, limit=PAGE_SIZE), next=None, previous=None), ""
    try:
        return run_queries.page(filter=wanted, limit=PAGE_SIZE, cursor=request.GET.get("cursor", "")), ""
    except InvalidFilter as error:
        return run_queries.page(filter=wanted, limit=PAGE_SIZE), told(error)


def _is_slowest_first(request: HttpRequest) -> bool:
    return request.GET.get("order") == _SLOWEST


def _rows(request: HttpRequest, found: Page[Run], nodes: dict[str, str]) -> dict[str, Any]:
    names = run_queries.node_names(runs=found.rows, known=nodes)
    noted = notes.of_runs(runs=[run.pk for run in found.rows])
    usual = overview.p95(jobs={run.job_id for run in found.rows if run.job_id})
    results = run_results.in_list(request, found.rows)
    links = {"everything": request.path}
    if "cursor" in request.GET:
        links["newest"] = _address(request)
    if found.previous:
        links["newer"] = _address(request, cursor=found.previous)
    if found.next:
        links["older"] = _address(request, cursor=found.next)
    return {
        "rows": [_row(run, names, usual, results) | run_notes.in_list(noted, run.pk) for run in found.rows],
        "links": links,
        "most_compared": display.number(run_queries.MOST_COMPARED) if _is_slowest_first(request) else "",
        "edge": found.edge,
        "most_searched": display.number(text_search.MOST_SEARCHED),
    }


def _row(run: Run, names: dict[str, str], usual: dict[str, float | None], results: dict[int, str]) -> dict[str, Any]:
    late = run.started_at - run.due_at if run.started_at else timedelta()
    seconds = (run.finished_at - run.started_at).total_seconds() if run.started_at and run.finished_at else None
    return {
        "run": run,
        "address": addresses.run(run.pk),
        "label": f"{display.RUN_MARKS[run.state].word}, #{run.pk}",
        "job_address": addresses.subject(run) if run.is_enqueued or run.job_id in usual else None,
        "late": display.took(late) if late > _NOTABLE_DELAY else "",
        "bar": charts.duration(seconds, p95=usual.get(run.job_id or "")),
        "node": node_name(run, names),
        "result": results.get(run.pk, ""),
    }


def _groups(request: HttpRequest, wanted: RunFilter) -> dict[str, Any]:
    now = timezone.now()
    found = error_groups.grouped(filter=wanted, now=now)
    return {
        "most_grouped": display.number(error_groups.MOST_GROUPED),
        "counted_since": found.since,
        "links": {"everything": request.path},
        "groups": [
            {
                "group": group,
                "address": addresses.run(group.sample),
                **_ways(request, group, now=now),
                "jobs": ", ".join(sorted(map(display.first_line, group.jobs.values()))[:5])
                + (f" … ({len(group.jobs)})" if len(group.jobs) > 5 else ""),
            }
            for group in found.groups[:100]
        ],
    }


def _ways(request: HttpRequest, group: ErrorGroup, *, now: datetime) -> dict[str, str]:
    """Where the runs of the group are: all of them, and those of the last hour and day."""
    own = {"group": "", "like": group.like}
    return {"runs": _address(request, **own)} | {
        name: _address(request, **own, tab="failed", until="", since=_exactly(now - age, "seconds"))
        for name, age in (("hour", error_groups.HOUR), ("day", error_groups.DAY))
    }


def _nodes() -> Any:
    return Node.objects.order_by("-heartbeat_at").values_list("pk", "name")[:_MOST_NODES]


def _choices(request: HttpRequest, tab: str, wanted: RunFilter, nodes: dict[str, str]) -> dict[str, Any]:
    """The filters in the head of the page."""
    return {
        "tabs": [
            {"text": text, "is_current": name == tab, "address": _address(request, tab=name)}
            for name, (text, _states) in _TABS.items()
        ],
        "actions": run_many.offered(request),
        "many_address": addresses.runs_many(**_kept(request)),
        "tasks": sorted(registry.names()),
        "nodes": [
            {"pk": pk, "name": f"{display.plain(name)} ({pk[:8]})", "is_chosen": pk == wanted.node}
            for pk, name in nodes.items()
        ],
        "reasons": [
            {"code": code, "text": told(phrase(title)), "is_chosen": code in wanted.reasons}
            for code, title in RUN_REASONS.items()
        ],
        "since": _local(wanted.since),
        "until": _local(wanted.until),
        "is_filtered": replace(wanted, states=()) != RunFilter(),
        "is_phone": pages.is_phone(request),
        "sees_output": run_results.sees_output(request),
        "most_exported": display.number(run_queries.MOST_EXPORTED),
        "windows": _windows(request),
        "is_slowest_first": _is_slowest_first(request),
        "links": {
            "everything": request.path,
            "slowest": _address(request, order=_SLOWEST, group=""),
            "by_time": _address(request, order="", group=""),
            "group": _address(request, group="error"),
            "list": _address(request, group=""),
            "csv": _address(request, format="csv", group=""),
        },
    }


def _kept(request: HttpRequest) -> dict[str, str]:
    """Return the filters of the address, without the place in the list and the form of the answer."""
    left_out = ("cursor", "order", "group", "format", pages.PART, "action", "select_across")
    return {name: str(value) for name, value in request.GET.items() if name not in left_out}


def _windows(request: HttpRequest) -> list[dict[str, Any]]:
    """Windows of time that are asked for most, in the zone that the page names."""
    now = timezone.now()
    midnight = datetime.combine(timezone.localtime(now).date(), time())
    night = [f"{midnight + timedelta(hours=hours):%Y-%m-%dT%H:%M}" for hours in (-6, 8)]
    found = (
        (_("Last night, 18:00–08:00"), *night),
        (_("Today"), f"{midnight:%Y-%m-%dT%H:%M}", ""),
        (_("Last hour"), _exactly(now - timedelta(hours=1), "minutes"), ""),
    )
    windows = []
    for text, since, until in found:
        is_current = (request.GET.get("since", ""), request.GET.get("until", "")) == (since, until)
        windows.append({"text": text, "is_current": is_current, "address": _address(request, since=since, until=until)})
    return windows


def _exactly(at: datetime, unit: str) -> str:
    """An instant on the clock of the page, with its offset: some times come twice when the clocks go back."""
    return timezone.localtime(at).isoformat(timespec=unit)


def _local(at: datetime | None) -> str:
    return "" if at is None else f"{timezone.localtime(at):%Y-%m-%dT%H:%M}"


def _address(request: HttpRequest, **changes: str) -> str:
    """The address of this list with other parameters, from its newest runs on unless a place is given."""
    query = request.GET.copy()
    for name in ("cursor", pages.PART, "format", "state__exact", "kind__exact"):
        query.pop(name, None)
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    text = query.urlencode()
    return f"{request.path}?{text}" if text else request.path
