"""The child of the process pool: one run at a time, and it ends when its node does."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from dataclasses import asdict, replace
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from scheduler.core.states import RunState

READY = b"ready"


def main(connection: Connection, settings_module: str) -> None:
    """Set Django up once, then run what arrives until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the node's business; it tells its children
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(os, "setsid"):
        os.setsid()  # so that what a task starts can be ended with it
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    import django

    django.setup()
    from scheduler.execution.runner import execute

    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, arrived), name="pipe", daemon=True).start()
    connection.send_bytes(READY)
    while True:
        run, node = decode_request(arrived.get())
        outcome = execute(run, node=node)
        connection.send_bytes(encode_outcome(outcome))


def _read(connection: Connection, arrived: queue.SimpleQueue[bytes]) -> None:
    """Pass requests on. The end of the pipe is the end of the node: stop at once, so no old attempt outlives it."""
    while True:
        try:
            arrived.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)


def encode_request(run: Any, *, node: str) -> bytes:
    values = asdict(run)
    values["scheduled_at"] = run.scheduled_at.isoformat()
    return json.dumps([values, node]).encode()


def decode_request(message: bytes) -> tuple[Any, str]:
    from scheduler.store.runs import OwnedRun

    values, node = json.loads(message)
    values["scheduled_at"] = datetime.fromisoformat(values["scheduled_at"])
    return OwnedRun(**values), node


def encode_outcome(outcome: Any) -> bytes:
    return json.dumps(asdict(replace(outcome, value=None))).encode()


def decode_outcome(message: bytes) -> Any:
    from scheduler.store.runs import Outcome

    values = json.loads(message)
    values["state"] = RunState(values["state"])
    return Outcome(**values)
