"""Every page of the admin, found by following the links from one on, and rows of every kind to fill them."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from django.db import connection
from django.test import Client

from scheduler.core.states import RunState
from scheduler.models import Incident, Job, Node, Notification
from scheduler.services import bulk, calendars, jobs, templates
from scheduler.services.alerts import channels, rules
from scheduler.services.bulk import Selection
from scheduler.services.queries.run_queries import RunFilter
from scheduler.services.templates import instances
from scheduler.store.clock import database_now
from tests.integration.admin.runs import TRACEBACK, node, run

MANY = 12_345
"""A number that people write with a separator."""

WORDS = frozenset({"aria-label", "title", "placeholder", "alt", "lang", "dir", "content", "data-label"})
"""Attributes that a person reads, or hears."""


@dataclass(kw_only=True)
class Page(HTMLParser):
    """The addresses of a page and the attributes that machines read."""

    addresses: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name in ("href", "action", "formaction") or value.startswith("/"):
                self.addresses.append(value)
            if name not in WORDS and not (tag == "meta" or dict(attrs).get("name") == "csrfmiddlewaretoken"):
                self.attributes.append((tag, name, value))


def fill() -> None:
    """Write rows of every kind, with numbers of more than three digits."""
    now = database_now()
    with connection.cursor() as cursor:
        for table in ("scheduler_run", "scheduler_change", "scheduler_incident", "scheduler_notification"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {MANY})")
    node(
        executors={"default": 5},
        tasks=["sample.nothing"],
        version="1",
        tzdata="2026a",
        heartbeat_at=now - timedelta(hours=1),
    )
    every = {"type": "interval", "minutes": 1500}
    limits = {"timeout": 4321.5, "max_retries": 3}
    job = jobs.create(id="nightly", name="Nightly", task="sample.nothing", trigger=every, tags=["night"], **limits)
    jobs.update(job=job, priority=7, reason="It matters")
    jobs.create(id="paused", task="sample.nothing", trigger=every)
    jobs.pause(job="paused", reason="Too expensive")
    Job.objects.filter(pk="nightly").update(version=MANY)
    log = "".join(f"2026-11-26 12:00:00 INFO line {number}\n" for number in range(1203))
    for number, state in enumerate(RunState):
        run(
            job=job,
            job_key="nightly",
            task="sample.nothing",
            at=now - timedelta(minutes=number),
            state=state,
            log=log,
            progress={"done": 1234.5, "total": 4321.5, "percent": 28.57},
            error="ValueError: no" if state is RunState.FAILED else "",
            traceback=TRACEBACK if state is RunState.FAILED else "",
            node=Node.objects.values_list("pk", flat=True)[0],
            **({"finished_at": None} if state in (RunState.QUEUED, RunState.RUNNING) else {}),
        )
    template = templates.create(
        slug="mirror", title="Mirror", body={"task": "sample.nothing", "trigger": every}, actor="anna"
    )
    instances.create(version=template, key="mirrored", values={}, actor="anna")
    calendars.create(name="holidays", rules=["2031-01-01", "2031-12-25"], actor="anna")
    bulk.begin(subject="runs", action="retry", selection=Selection(filter=RunFilter(job="nightly")), actor="anna")
    _alert(job)


def _alert(job: Job) -> None:
    """Write a rule with a channel, an open and a closed incident, and a message about them."""
    made = channels.create(name="Ops", kind="webhook", config={"url": "https://shop.example/hook"}, actor="anna")
    rule = rules.create(name="Fails often", kind="failing", threshold=3, channels=[made], actor="anna")
    facts = {"rule": rule, "rule_name": rule.name, "kind": rule.kind, "severity": rule.severity, "count": MANY}
    about = {"subject": f"job:{job.pk}", "job_key": job.pk, "job_name": job.name}
    Incident.objects.create(**facts, **about, text="ValueError: no", measured=MANY)
    Incident.objects.create(**facts, **about, closed_at=database_now(), closed_because="recovered")
    Notification.objects.create(channel=made, rule=rule, rule_name=rule.name, kind="opened", subject="Nightly fails")


def crawl(client: Client, *, start: str, most: int = 400) -> dict[str, Any]:
    """Follow every link below an address; return the pages by their address."""
    found: dict[str, Any] = {}
    waiting = deque([start])
    seen = {start}
    kinds: set[str] = set()
    while waiting and len(found) < most:
        address = waiting.popleft()
        answer = client.get(address)
        found[address] = answer
        if answer.streaming or answer.status_code == 405 or "text/html" not in answer.headers.get("Content-Type", ""):
            continue
        page = read(answer)
        for other in page.addresses:
            parts = urlsplit(other)
            path = parts.path if parts.path.startswith("/") or not parts.path else None
            if path is None or parts.netloc or "logout" in path or not path.startswith((start, "/admin/")):
                continue
            target = f"{path or urlsplit(address).path}{'?' + parts.query if parts.query else ''}"
            # One page of each kind: lists have endless combinations of filters.
            kind = re.sub(r"\d+|[0-9a-f-]{36}", "#", path) + ",".join(sorted(re.findall(r"(?:^|&)(\w+)=", parts.query)))
            if target not in seen and kind not in kinds:
                seen.add(target)
                kinds.add(kind)
                waiting.append(target)
    return found


def read(answer: Any) -> Page:
    page = Page()
    page.feed(answer.content.decode())
    return page
