"""Rows as stock django-apscheduler 0.7 with APScheduler 3.11 writes them, honest and hostile."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django_apscheduler.models import DjangoJob

DUE = datetime(2990, 1, 1, 3, tzinfo=UTC)


def state(id: str, *, trigger: BaseTrigger | Any = None, **changes: Any) -> dict[str, Any]:
    """Return what ``Job.__getstate__`` returns."""
    return {
        "version": 1,
        "id": id,
        "func": "tests.contract.tasks:add",
        "trigger": trigger or IntervalTrigger(hours=1, timezone="Europe/Berlin"),
        "executor": "default",
        "args": (1,),
        "kwargs": {"b": 2},
        "name": "add",
        "misfire_grace_time": 60,
        "coalesce": True,
        "max_instances": 1,
        "next_run_time": DUE,
        **changes,
    }


def write(
    id: str, content: bytes | dict[str, Any] | None = None, *, next_run_time: datetime | None = DUE, protocol: int = 5
) -> DjangoJob:
    """Write a row past our services."""
    content = state(id) if content is None else content
    data = pickle.dumps(content, protocol) if isinstance(content, dict) else content
    return DjangoJob.objects.create(id=id, next_run_time=next_run_time, job_state=data)


class _Foreign(BaseTrigger):
    """A trigger of somebody, whose class APScheduler would import by its name."""

    def get_next_fire_time(self, previous_fire_time: Any, now: Any) -> None: ...

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Call:
    """Pickled as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def program(*parts: bytes) -> bytes:
    """Assemble a pickle by hand."""
    return b"\x80\x04" + b"".join(parts) + b"."


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def hostile(canary: Path) -> dict[str, bytes | dict[str, Any]]:
    """Return payloads by what they try. Each that could run code would write the canary file."""
    import os
    import subprocess
    from functools import partial

    command = f"touch {canary}"
    touch = Call(os.system, command)

    def near(id: str, **changes: Any) -> dict[str, Any]:
        return state(id, **changes)

    bomb: list[Any] = []
    for _ in range(40):
        bomb = [bomb, bomb]
    deep: list[Any] = []
    inner = deep
    for _ in range(400):
        inner.append([])
        inner = inner[0]
    loop: list[Any] = []
    loop.append(loop)
    cron = CronTrigger(hour=3, timezone="UTC")
    cron.fields[0].expressions[0].step = touch
    odd_zone = CronTrigger(hour=1, timezone="UTC")
    odd_zone.timezone = Call(__import__, "antigravity")
    system = name("os", "system") + text(command) + b"\x85R"
    old_global = b"cos\nsystem\n" + text(command) + b"\x85R"
    pieces: dict[str, bytes | dict[str, Any]] = {
        "reduce-system": program(system),
        "reduce-old-global": program(old_global),
        "reduce-pickled": pickle.dumps(touch),
        "popen": pickle.dumps(Call(subprocess.Popen, ["touch", str(canary)])),
        "eval": pickle.dumps(Call(eval, f"open({str(canary)!r}, 'w')")),
        "exec": pickle.dumps(Call(exec, f"open({str(canary)!r}, 'w')")),
        "open": pickle.dumps(Call(open, str(canary), "w")),
        "partial": pickle.dumps(partial(os.system, command)),
        "instance": b"(S'" + command.encode() + b"'\nios\nsystem\n.",
        "object": b"(" + b"cos\nsystem\n" + b"S'" + command.encode() + b"'\no.",
        "persistent-id": b"Pcanary\n.",
        "binary-persistent-id": program(text("canary") + b"Q"),
        "codecs": program(name("_codecs", "encode") + text("x") + text("rot13") + b"\x86R"),
        "codecs-lookup": program(name("_codecs", "lookup") + text("rot13") + b"\x85R"),
        "extension": b"\x80\x02\x82\x01.",
        "getattr-chain": program(
            name("builtins", "getattr") + name("zoneinfo", "ZoneInfo") + text("__init__") + b"\x86R"
        ),
        "getattr-subclasses": program(
            name("builtins", "getattr") + name("datetime", "datetime") + text("__subclasses__") + b"\x86R"
        ),
        "getattr-of-getattr": program(
            name("builtins", "getattr") + name("builtins", "getattr") + text("__globals__") + b"\x86R"
        ),
        "change-a-stand-in": program(
            name("builtins", "getattr") + b"}" + text("_function") + name("datetime", "date") + b"sb"
        ),
        "change-a-class": program(
            name("apscheduler.triggers.cron.fields", "BaseField") + b"N}" + text("get_value") + b"Ns\x86b"
        ),
        "dotted-name": program(name("apscheduler.triggers.cron", "CronTrigger.from_crontab")),
        "module-attribute": program(name("apscheduler.util", "ref_to_obj") + text("os:system") + b"\x85R"),
        "truncated": pickle.dumps(state("truncated"))[:-20],
        "empty": b"",
        "garbage": b"\xff\xfe nothing that anybody pickled",
        "huge": b"\x80\x04" + b"N0" * 600_000 + b"N.",
        "huge-memo-index": program(b"N" + b"r" + struct.pack("<I", 0xFFFFFFF0)),
        "huge-string": program(b"\x8d" + struct.pack("<Q", 1 << 60)),
        "no-state": pickle.dumps(["not", "a", "state"]),
        "loop": near("loop", args=(loop,)),
        "deep": near("deep", args=(deep,)),
        "unfolding-bomb": near("unfolding-bomb", args=(bomb,)),
        "func-system": near("func-system", func="os:system", args=(command,), kwargs={}),
        "func-eval": near("func-eval", func="builtins:eval", args=(f"open({str(canary)!r}, 'w')",), kwargs={}),
        "func-not-text": near("func-not-text", func=["os", "system"]),
        "func-unregistered": near("func-unregistered", func="tests.contract.tasks:unregistered"),
        "func-import": near("func-import", func="antigravity:fly"),
        "nested-in-args": near("nested-in-args", args=(touch,)),
        "nested-in-kwargs": near("nested-in-kwargs", kwargs={"b": touch}),
        "nested-in-name": near("nested-in-name", name=touch),
        "nested-in-cron": near("nested-in-cron", trigger=cron),
        "nested-in-zone": near("nested-in-zone", trigger=odd_zone),
        "combining-a-foreign-class": near("combining-a-foreign-class", trigger=OrTrigger([_Foreign()])),
        "combining-in-itself": near("combining-in-itself", trigger=OrTrigger([OrTrigger([DateTrigger(DUE)])])),
        "trigger-text": near("trigger-text", trigger="os:system"),
        "replayed-id": near("somebody-else"),
        "arguments-of-another-task": near("arguments-of-another-task", args=("x", "y", "z")),
        "instances-below-one": near("instances-below-one", max_instances=-1),
        "version": near("version", version=2),
    }
    return pieces
