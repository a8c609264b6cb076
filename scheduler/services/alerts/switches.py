"""Dead-man's switches: addresses of another service that are requested while all is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import F, Q, QuerySet

from scheduler import outgoing, sealing
from scheduler.core.alerts import answers
from scheduler.core.health import Status
from scheduler.core.states import RunState
from scheduler.errors import (
    DestinationRefused,
    InvalidArguments,
    InvalidSwitch,
    NameTaken,
    RequestFailed,
    SwitchNotFound,
)
from scheduler.messages import phrase
from scheduler.models import Job, Run, Switch
from scheduler.services import transactions
from scheduler.services.masking import MASK
from scheduler.services.queries import health
from scheduler.store.clock import database_now

_LIMITS = outgoing.Limits(redirects=3, connect_seconds=5.0, read_seconds=5.0, total_seconds=10.0)
_SHORTEST_SECONDS = 10.0
_LONGEST_SECONDS = 86_400.0
_LONGEST_NAME = 100
_LONGEST_URL = 1000
_FAILED = (RunState.FAILED, RunState.TIMED_OUT, RunState.INTERRUPTED)


FIELDS = ("name", "url", "job", "every_seconds", "enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A request that is due."""

    switch: int
    url: str


def all_switches() -> QuerySet[Switch]:
    return Switch.objects.order_by("name")


def get(*, id: int) -> Switch:
    """:raises SwitchNotFound: a switch with this id does not exist"""
    switch = Switch.objects.filter(pk=id).first()
    if switch is None:
        raise SwitchNotFound(phrase("There is no dead-man's switch with the id {id}.", id=f"{id}"))
    return switch


def check(*, switch: Switch | None, **given: Any) -> dict[str, Any]:
    """
    Return the columns of a switch as they would be saved. ``switch``: the one that is changed.

    :raises InvalidSwitch, NameTaken: naming the field, its value and what is allowed
    """
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise InvalidSwitch(phrase("A dead-man's switch has no {names}.", names=", ".join(unknown)), field=unknown[0])
    columns: dict[str, Any] = {}
    if switch is None or "name" in given:
        columns["name"] = _name(given.get("name"), switch)
    if switch is None or given.get("url") not in (None, "", MASK):
        columns["url"] = _url(given.get("url"), is_off=given.get("enabled") is False)
    elif given.get("enabled") and not sealing.unseal(switch.url):
        raise InvalidSwitch(phrase("url is empty: enter the address, which an import leaves out."), field="url")
    if "job" in given and (switch is None or given["job"] != switch.job_key):
        columns["job_key"] = _job(given["job"])
    if "every_seconds" in given:
        columns["every_seconds"] = _seconds(given["every_seconds"])
    if "enabled" in given:
        columns["enabled"] = bool(given["enabled"])
    return columns


def create(*, name: str, url: str | None, **given: Any) -> Switch:
    """
    Create a switch. ``given`` are fields of ``FIELDS``. ``job`` is the id of the job whose runs it reports.

    Without a job it reports the health. ``url`` may be ``None`` in a switch that is off: somebody enters it later.

    :raises InvalidSwitch, NameTaken: naming the field, its value and what is allowed
    """
    return _saved(Switch(), check(switch=None, name=name, url=url, **given))


def update(*, switch: Switch, **given: Any) -> Switch:
    """
    Change a switch. Its address stays if the new one is empty or a mask.

    :raises InvalidSwitch, NameTaken, SwitchNotFound: no change was made
    """
    with transactions.atomic():
        stored = Switch.objects.select_for_update().filter(pk=switch.pk).first()
        if stored is None:
            raise SwitchNotFound(phrase("There is no dead-man's switch with the id {id}.", id=f"{switch.pk}"))
        return _saved(stored, check(switch=stored, **given))


def remove(*, switch: Switch) -> None:
    """Delete a switch. The service that it requested alerts when the requests stop."""
    switch.delete()


def _saved(switch: Switch, columns: dict[str, Any]) -> Switch:
    for column, value in columns.items():
        setattr(switch, column, value)
    if columns.get("job_key"):
        switch.seen_run = switch.seen_start = _newest(columns["job_key"])
    switch.next_at = database_now()
    try:
        with transactions.atomic():
            switch.save()
    except IntegrityError as error:
        raise NameTaken(_taken(switch.name)) from error
    return switch


def _name(value: Any, switch: Switch | None) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST_NAME or not value.isprintable():
        raise InvalidSwitch(phrase("name must be a text of 1 to 100 characters."), field="name")
    name = value.strip()
    others = Switch.objects.filter(name=name)
    if (others if switch is None else others.exclude(pk=switch.pk)).exists():
        raise NameTaken(_taken(name))
    return name


def _taken(name: str) -> str:
    return phrase("There is a dead-man's switch “{name}” already. Choose another name.", name=name)


def _url(value: Any, *, is_off: bool) -> dict[str, Any]:
    if value is None and is_off:
        return sealing.seal("")
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_URL or value == MASK:
        raise InvalidSwitch(
            phrase("url must be an address of at most {most:,} characters.", most=_LONGEST_URL), field="url"
        )
    try:
        outgoing.check(url=value.strip())
    except DestinationRefused as error:
        raise InvalidSwitch(error.message, field="url") from None
    return sealing.seal(value.strip())


def _job(value: Any) -> str:
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not Job.objects.filter(pk=value[:255]).exists():
        raise InvalidSwitch(phrase("There is no job with the id {id}.", id=f"{value}"[:64]), field="job")
    return value


def _seconds(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not _SHORTEST_SECONDS <= value <= _LONGEST_SECONDS:
        raise InvalidSwitch(
            phrase("every_seconds is “{value}”. It must be a number from 10 to 86,400.", value=f"{value}"[:20]),
            field="every_seconds",
        )
    return float(value)


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
        locked = Switch.objects.select_for_update(skip_locked=True).filter(enabled=True)
        # Further ahead than it is ever planned: the clock was set back.
        is_due = Q(next_at__lte=now) | Q(next_at__gt=now + F("every_seconds") * timedelta(seconds=1))
        for switch in locked.filter(is_due).order_by("next_at")[:50]:
            pings += [Ping(switch=switch.pk, url=url) for url in _urls(switch)]
            switch.next_at = now + timedelta(seconds=switch.every_seconds)
            switch.save(update_fields=["next_at", "seen_run", "seen_start"])
    return pings


def _urls(switch: Switch) -> list[str]:
    try:
        url = sealing.unseal(switch.url).rstrip("/")
    except InvalidArguments as error:
        Switch.objects.filter(pk=switch.pk).update(**_answered(error.message))
        return []
    if not switch.job_key:
        # A warning is no reason to call somebody.
        return [url if health.check_now().status is not Status.FAIL else f"{url}/fail"]
    return [f"{url}{word}" for word in _of_job(switch)]


def _of_job(switch: Switch) -> list[str]:
    """Return what is added to the address for what happened since. Remembers what it has seen."""
    runs = Run.objects.filter(job_key=switch.job_key, job_id=switch.job_key)
    words: list[tuple[int, str]] = []
    running = runs.filter(state=RunState.RUNNING, id__gt=switch.seen_start or 0).order_by("-id").first()
    if running is not None:
        switch.seen_start = running.pk
        words.append((running.pk, "/start"))
    ended = runs.filter(id__gt=switch.seen_run or 0, state__in=(RunState.SUCCEEDED, *_FAILED))
    last = ended.order_by("-id").values_list("id", "state").first()
    if last is not None:
        switch.seen_run = last[0]
        words.append((last[0], "" if last[1] == RunState.SUCCEEDED else "/fail"))
    return [word for _run, word in sorted(words)]


def send(ping: Ping) -> str:
    """Request an address and return the answer, or why there is none."""
    import httpx  # with the first request

    try:
        answer = outgoing.request(url=ping.url, limits=_LIMITS)
    except RequestFailed as error:
        return error.message
    except httpx.HTTPError as error:
        return str(error)
    return str(answer.status_code)


def record(*, answered: Sequence[tuple[Ping, str]]) -> None:
    for ping, answer in answered:
        Switch.objects.filter(pk=ping.switch).update(requested_at=database_now(), **_answered(answer))


def _answered(answer: str) -> dict[str, Any]:
    return {"answer": str(answer)[: answers.LONGEST], "answer_message": answers.data_of(answer)}


def represent(switch: Switch) -> dict[str, Any]:
    """Describe a switch as JSON, with its address masked."""
    from scheduler.services.queries.representations import instant

    return {
        "id": switch.pk,
        "name": switch.name,
        "url": MASK,
        "job": switch.job_key or None,
        "enabled": switch.enabled,
        "every_seconds": switch.every_seconds,
        "requested_at": instant(switch.requested_at),
        "answer": switch.answer,
    }
