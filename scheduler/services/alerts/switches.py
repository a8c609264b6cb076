"""Dead-man's switches: addresses of another service that are requested while all is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from django.db import IntegrityError
from django.db.models import QuerySet

from scheduler import outgoing, sealing
from scheduler.core.health import Status
from scheduler.core.states import RunState
from scheduler.errors import DestinationRefused, InvalidArguments, InvalidChannel, NameTaken, RequestFailed
from scheduler.messages import phrase
from scheduler.models import Run, Switch
from scheduler.services import transactions
from scheduler.services.queries import health
from scheduler.store.clock import database_now

_LIMITS = outgoing.Limits(redirects=3, connect_seconds=5.0, read_seconds=5.0, total_seconds=10.0)
_SHORTEST_SECONDS = 10.0
_FAILED = (RunState.FAILED, RunState.TIMED_OUT, RunState.INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A request that is due."""

    switch: int
    url: str


def all_switches() -> QuerySet[Switch]:
    return Switch.objects.order_by("name")


def check(*, url: str, every_seconds: float, is_kept: bool = False) -> None:
    """
    Check what a switch is made of. ``is_kept``: its address stays.

    :raises InvalidChannel: naming the field, its value and what is allowed
    """
    if not is_kept:
        try:
            outgoing.check(url=url.strip())
        except DestinationRefused as error:
            raise InvalidChannel(error.message, field="url") from None
    if not _SHORTEST_SECONDS <= every_seconds <= 86_400:
        raise InvalidChannel(
            phrase("every_seconds is “{value}”. It must be a number from 10 to 86,400.", value=f"{every_seconds}"),
            field="every_seconds",
        )


def create(*, name: str, url: str, job: str = "", every_seconds: float = 60.0, enabled: bool = True) -> Switch:
    """
    Create a switch. ``job`` is the id of the job whose runs it reports, empty: it reports the health.

    :raises InvalidChannel, NameTaken: naming the field, its value and what is allowed
    """
    check(url=url, every_seconds=every_seconds)
    newest = _newest(job) if job else None
    switch = Switch(
        name=name,
        job_key=job,
        url=sealing.seal(url.strip()),
        every_seconds=every_seconds,
        enabled=enabled,
        seen_run=newest,
        seen_start=newest,
    )
    try:
        with transactions.atomic():
            switch.save()
    except IntegrityError as error:
        raise NameTaken(phrase("There is a switch “{name}” already. Choose another name.", name=name)) from error
    return switch


def update(*, switch: Switch, url: str = "") -> Switch:
    """
    Save what was changed of a switch. ``url`` is its new address, empty: it stays.

    :raises InvalidChannel: no change was made
    """
    check(url=url, every_seconds=switch.every_seconds, is_kept=not url)
    if url:
        switch.url = sealing.seal(url.strip())
    switch.next_at = database_now()
    switch.save()
    return switch


def _newest(job: str) -> int | None:
    newest: int | None = (
        Run.objects.filter(job_key=job, job_id=job).order_by("-id").values_list("id", flat=True).first()
    )
    return newest


def take_due() -> list[Ping]:
    """
    Return the requests that are due, each to one caller, and plan the next.

    The outcome of a run is reported once by each caller that takes it. A crash before the request was sent loses it,
    and the next one says how things are.
    """
    now = database_now()
    pings: list[Ping] = []
    with transactions.atomic():
        due = Switch.objects.select_for_update(skip_locked=True).filter(enabled=True, next_at__lte=now)
        for switch in due.order_by("next_at")[:50]:
            pings += [Ping(switch=switch.pk, url=url) for url in _urls(switch)]
            switch.next_at = now + timedelta(seconds=switch.every_seconds)
            switch.save(update_fields=["next_at", "seen_run", "seen_start"])
    return pings


def _urls(switch: Switch) -> list[str]:
    try:
        url = sealing.unseal(switch.url).rstrip("/")
    except InvalidArguments as error:
        Switch.objects.filter(pk=switch.pk).update(answer=str(error))
        return []
    if not switch.job_key:
        # A warning is no reason to call somebody.
        return [url if health.check_now().status is not Status.FAIL else f"{url}/fail"]
    return [f"{url}{word}" for word in _of_job(switch)]


def _of_job(switch: Switch) -> list[str]:
    """Return what is added to the address for what happened since. Remembers what it has seen."""
    runs = Run.objects.filter(job_key=switch.job_key, job_id=switch.job_key)
    words: list[str] = []
    running = runs.filter(state=RunState.RUNNING, id__gt=switch.seen_start or 0).order_by("-id").first()
    if running is not None:
        switch.seen_start = running.pk
        words.append("/start")
    ended = runs.filter(id__gt=switch.seen_run or 0, state__in=(RunState.SUCCEEDED, *_FAILED))
    last = ended.order_by("-id").values_list("id", "state").first()
    if last is not None:
        switch.seen_run = last[0]
        words.append("" if last[1] == RunState.SUCCEEDED else "/fail")
    return words


def send(ping: Ping) -> str:
    """Request an address and return the answer, or why there is none."""
    try:
        answer = outgoing.request(url=ping.url, limits=_LIMITS)
    except RequestFailed as error:
        return str(error)[:500]
    except httpx.HTTPError as error:
        return str(error)[:500]
    return str(answer.status_code)


def record(*, answers: Sequence[tuple[Ping, str]]) -> None:
    for ping, answer in answers:
        Switch.objects.filter(pk=ping.switch).update(requested_at=database_now(), answer=answer)


def represent(switch: Switch) -> dict[str, Any]:
    from scheduler.services.queries.representations import instant

    return {
        "id": switch.pk,
        "name": switch.name,
        "job": switch.job_key or None,
        "enabled": switch.enabled,
        "every_seconds": switch.every_seconds,
        "requested_at": instant(switch.requested_at),
        "answer": switch.answer,
    }
