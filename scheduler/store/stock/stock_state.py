"""Reading what stock django-apscheduler stored about a job: its facts, checked one by one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scheduler.core import triggers
from scheduler.core.triggers.apscheduler import from_apscheduler
from scheduler.errors import InvalidTrigger, UnreadableState
from scheduler.store.stock import stock_triggers
from scheduler.store.stock.stand_ins import shown
from scheduler.store.stock.stock_triggers import Recorded
from scheduler.store.stock.unpickling import FAILURES, load

OWN_KEY = "openlearn_scheduler"
"""In a state that we wrote for stock to go on with: what the job is made of here, as JSON text."""

_KEYS = frozenset(
    [
        "id",
        "func",
        "trigger",
        "executor",
        "args",
        "kwargs",
        "name",
        "misfire_grace_time",
        "coalesce",
        "max_instances",
        "next_run_time",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockState:
    """The facts that stock stored about a job, without any look-up or import."""

    id: str
    func: str
    """``module:function``."""

    trigger: dict[str, Any]
    """Our JSON. Empty where ``own`` says it."""

    executor: str
    args: list[Any]
    kwargs: dict[str, Any]
    """As stored. Whether JSON can hold them is not checked yet."""

    name: str
    misfire_grace_time: int | None
    coalesce: bool
    max_instances: int
    own: dict[str, Any] | None = None
    """The content of ``OWN_KEY``, unchecked."""


def read(data: bytes) -> StockState:
    """
    Read a ``job_state`` that stock django-apscheduler wrote, protocols 2 to 5.

    Zones of ``zoneinfo`` and ``pytz`` are taken by their names.

    :raises UnreadableState: it is damaged, too large, or asks for anything beyond the data of a job
    """
    return _checked(load(data))


def _checked(state: object) -> StockState:
    if not isinstance(state, dict) or not state.keys() >= _KEYS:
        raise UnreadableState("Its state is not that of a job of APScheduler 3.")
    if state.get("version", 1) != 1:
        raise UnreadableState(f"Its state has version {shown(state['version'])}; only version 1 is known.")
    args, kwargs, grace = state["args"], state["kwargs"], state["misfire_grace_time"]
    for name in ("id", "func", "name", "executor"):
        if not isinstance(state[name], str):
            raise UnreadableState(f"Its {name} is {shown(state[name])}; it should be text.")
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise UnreadableState("Its arguments are not a list and a dictionary.")
    for name, value in (("max_instances", state["max_instances"]), ("misfire_grace_time", grace)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise UnreadableState(f"Its {name} is {shown(value)}; it should be a whole number from 1 on.")
    own = _own(state.get(OWN_KEY))
    return StockState(
        id=state["id"],
        func=state["func"],
        trigger={} if own is not None else _trigger(state["trigger"]),
        executor=state["executor"],
        args=list(args),
        kwargs=kwargs,
        name=state["name"],
        misfire_grace_time=grace,
        coalesce=bool(state["coalesce"]),
        max_instances=state["max_instances"] or 1,
        own=own,
    )


def _own(text: object) -> dict[str, Any] | None:
    if not isinstance(text, str):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _trigger(recorded: object) -> dict[str, Any]:
    if not isinstance(recorded, Recorded):
        raise UnreadableState(f"Its trigger is {shown(recorded)}.")
    try:
        if recorded.kind == "json":
            return triggers.parse(recorded.get("trigger")).as_json()
        return from_apscheduler(stock_triggers.rebuild(recorded))
    except (*FAILURES, InvalidTrigger) as error:
        raise UnreadableState(f"Its trigger cannot be used: {shown(error)}") from None
