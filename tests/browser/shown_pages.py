"""Every page of the admin with something on it. A test fails for an address that no table here has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.db.models import Model
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse
from django.utils import timezone

from openlearn.scraping.models import Document, Source
from openlearn.scraping.models import Page as ScrapedPage
from scheduler.admin import addresses
from scheduler.models import Change, Job, Node, Run
from scheduler.services import bulk, calendars, jobs, templates
from scheduler.services.bulk.selection import Selection
from scheduler.services.templates import instances
from tests.browser.histories import a_bad_night, some_history
from tests.integration.admin.sources import add_source

OURS = ("scheduler", "scraping")

NOT_PAGES = {
    "scheduler_job_preview": "a part of the form of a job",
    "scheduler_job_arguments": "a part of the form of a job",
    "scheduler_job_export": "a file",
    "scheduler_run_log": "a part of the page of a run",
    "scheduler_rule_preview": "a sentence beside the form of a rule",
    "scheduler_bulkaction_stop": "leads back to the bulk action",
    "scheduler_channel_test": "leads back to the channel",
    "scheduler_notification_again": "leads back to the message",
    "scraping_source_export": "a file",
}
"""Names of addresses that have no page of their own."""

OF_MODELS = ("changelist", "add", "history", "delete", "change")
"""The addresses that Django makes for each model."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One page: what it is called, where it is, and how it is opened."""

    name: str
    address: str
    is_asked: bool = False
    """It is the answer to a button, which sends a form."""


def names(site: AdminSite = admin.site) -> set[str]:
    """Return the names of all addresses of our apps."""
    return {name for name in _names(site.get_urls()) if name.startswith(tuple(f"{app}_" for app in OURS))}


def _names(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


@contextmanager
def everything() -> Iterator[list[Shown]]:
    """Fill the tables, and yield all pages in a fixed order."""
    job = some_history()
    _more_jobs(job)
    _material()
    with a_bad_night() as alerts:
        yield [*_own(job, alerts), *_of_models(), *_lists(), *_of_django()]


def _more_jobs(job: Job) -> None:
    night = {"type": "cron", "expression": "0 3 * * mon-fri", "timezone": "Europe/Berlin"}
    jobs.update(job=job, actor="ben", reason="The site is slow at two.", priority=5)
    gone = jobs.create(id="gone", name="Scrape the old mirror", task="sample.nothing", trigger=night)
    jobs.remove(job=gone, actor="anna", reason="It moved.")
    holidays = calendars.create(name="holidays", title="Holidays", rules=["sat-sun Weekend", "12-24 Christmas Eve"])
    jobs.create(id="office", task="sample.nothing", trigger={**night, "not_on": [holidays.name]})
    parameters = [{"name": "number", "type": "integer", "description": "The number to square."}]
    body = {"task": "sample.square", "trigger": night, "kwargs": {"number": "{number}"}, "name": "Square of {number}"}
    version = templates.create(slug="squares", title="Squares", parameters=parameters, body=body)
    instances.create(version=version, key="three", values={"number": 3})
    templates.add_version(template=version.template, parameters=parameters, body={**body, "priority": 3})
    bulk.begin(subject="jobs", action="pause", selection=Selection(ids=(job.pk,)), actor="anna")
    Job.objects.filter(pk="office").update(state="broken", reason_text="Its trigger cannot be used.")


def _material() -> None:
    now, address = timezone.now(), f"https://learn.example/{'long/' * 12}"
    source = add_source("A source with a name that goes on for a while")
    Source.objects.filter(pk=source.pk).update(consecutive_failures=3, last_error=f"403 Forbidden for {address}")
    document = Document.objects.create(
        source=source, url=address, title="Lesson", content_hash="0123abcd" * 8, first_seen_at=now, changed_at=now
    )
    ScrapedPage.objects.create(source=source, url=address, document=document)


def _own(job: Job, alerts: dict[str, str]) -> list[Shown]:
    """Return the pages that only we have, by the names of their addresses."""
    active = Run.objects.filter(state="running").earliest("pk")
    failed = Run.objects.filter(state="failed", job=job).latest("scheduled_at")
    change = Change.objects.filter(job_key=job.pk).earliest("pk")
    template = templates.get(slug="squares").pk
    incident = alerts["incident"].rstrip("/").split("/")[-2]
    on_jobs = {
        f"scheduler_job_{name}": job.pk
        for name in ("pause", "run", "run_with", "backfill", "statistics", "clone", "page")
    }
    arguments: dict[str, Any] = {
        **on_jobs,
        "scheduler_job_resume": "paused",
        **dict.fromkeys(("scheduler_job_take", "scheduler_job_keep", "scheduler_job_detach"), "three"),
        "scheduler_run_cancel": active.pk,
        **{f"scheduler_run_{name}": failed.pk for name in ("retry", "again", "note", "take", "release")},
        "scheduler_change_restore": change.pk,
        **{f"scheduler_template_{name}": template for name in ("version", "instance", "table", "upgrade")},
        **{f"scheduler_incident_{name}": incident for name in ("acknowledge", "snooze", "close")},
        "scheduler_incident_mute": job.pk,
        **{f"scheduler_queue_{name}": "default" for name in ("page", "pause", "resume", "keep")},
        "scheduler_queue_task": "sample.nothing",
        **dict.fromkeys(("scheduler_node_drain", "scheduler_node_undrain"), Node.objects.earliest("pk").pk),
        "scheduler_incident_link": alerts["link"].rstrip("/").rsplit("/", 1)[-1],
    }
    plain = ("dashboard", "outlook", "zone", "health", "job_pause_all")
    asked = ("pause", "resume", "run", "clone", "take", "keep", "detach", "cancel", "retry", "again", "restore")
    asked += ("note", "release", "pause_all", "acknowledge", "snooze", "close", "mute", "drain", "undrain")
    found = {**{f"scheduler_{name}": () for name in plain}, "scraping_source_health": (), "scraping_source_import": ()}
    found |= {name: (value,) for name, value in arguments.items()}
    many = [
        Shown(
            name="scheduler_run_many",
            address=addresses.runs_many(action="retry", select_across="1", tab="failed"),
        )
    ]
    return many + [
        Shown(
            name=name,
            address=reverse(f"admin:{name}", args=values),
            is_asked=name.startswith(
                tuple(f"scheduler_{what}_" for what in ("job", "run", "change", "incident", "queue", "node"))
            )
            and name.split("_", 2)[2] in asked,
        )
        for name, values in found.items()
    ]


def _of_models(site: AdminSite = admin.site) -> list[Shown]:
    """Return the pages that Django makes for each model, with the first row of each."""
    found = []
    for model in site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        if model._meta.app_label not in OURS:
            continue
        row: Model | None = model._default_manager.order_by("pk").first()
        for what in OF_MODELS:
            args = () if what in ("changelist", "add") else (row.pk if row else 0,)
            try:
                found.append(Shown(name=f"{label}_{what}", address=reverse(f"admin:{label}_{what}", args=args)))
            except NoReverseMatch:
                continue
    return found


def _lists() -> list[Shown]:
    """Return further looks of pages: other states, orders and tabs, and lists without a row."""
    states = {run.state: run for run in Run.objects.order_by("pk")}
    now = timezone.now()
    queued = Run.objects.filter(state="queued").first() or next(iter(states.values()))
    Node.objects.filter(pk=Node.objects.earliest("pk").pk).update(heartbeat_at=now - timedelta(minutes=9))
    looks = {
        "runs-errors": addresses.runs(group="error"),
        "runs-slowest": addresses.runs(order="slowest"),
        "runs-none": addresses.runs(q="no such job"),
        "jobs-none": addresses.jobs(q="no such job"),
        "changes-none": addresses.changes(actor="no such person"),
        "job-paused": addresses.job("paused"),
        "job-broken": addresses.job("office"),
        "job-declared": addresses.job("three"),
        "run-queued": addresses.run(queued.pk),
        **{f"run-{state}": addresses.run(run.pk) for state, run in states.items()},
        "sources-none": f"{reverse('admin:scraping_source_changelist')}?q=none",
    }
    return [Shown(name=name, address=address) for name, address in looks.items()]


def _of_django() -> list[Shown]:
    found = {name: reverse(f"admin:{name}") for name in ("index", "password_change")}
    apps = {f"app-{app}": reverse("admin:app_list", args=[app]) for app in (*OURS, "auth")}
    return [
        *(Shown(name=name, address=address) for name, address in {**found, **apps}.items()),
        Shown(name="tokens", address=reverse("admin:knox_authtoken_changelist")),
        Shown(name="not-found-job", address=addresses.job("no-such-job")),
        Shown(name="not-found-run", address=addresses.run(999_999_999)),
        Shown(name="not-found", address=f"{reverse('admin:index')}nowhere/"),
    ]
