"""The child of the process pool: one run at a time, and it ends when its node does."""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
from dataclasses import asdict
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from scheduler.context import CurrentRun, StopReason
from scheduler.core.states import RunState

READY = b"ready"
STOP = b"stop"
"""From the node: the time of the body is over, and it may end by itself for a moment."""

BEGUN = b"begun"
"""The request is understood and the task is called next. A child that dies before this message has not called it."""


def main(connection: Connection, settings_module: str, memory_mb: int | None) -> None:
    """Set Django up once, then run what arrives until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the node's business; it tells its children
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if memory_mb is not None:
        _limit_memory(memory_mb)
    if hasattr(os, "setsid"):
        os.setsid()  # so that what a task starts can be ended with it
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    _set_django_up()
    from scheduler import conf
    from scheduler.execution import logs
    from scheduler.execution.runner import begin, execute, note_of
    from scheduler.loops import spawn

    logs.install(level=conf.get().run_log_level, is_child=True)
    sys.stdout = printed = logs.PrintedLines(name="stdout", original=sys.stdout)
    sys.stderr = complained = logs.PrintedLines(name="stderr", original=sys.stderr)
    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    body = _Body()
    one_at_a_time = threading.Lock()

    def send(message: bytes) -> None:
        with one_at_a_time:
            _send(connection, message)

    def take_outputs_back() -> None:
        printed.finish()
        complained.finish()
        sys.stdout, sys.stderr = printed, complained  # the task may have put its own in their place

    spawn(_read, args=(connection, arrived, body), name="pipe")
    send(READY)
    while True:
        run, node = decode_request(arrived.get())
        send(BEGUN)
        body.current = current = begin(run, node=node, publish=lambda current: send(encode_note(note_of(current))))
        send(encode_outcome(execute(run, current, at_end=take_outputs_back)))


def _set_django_up() -> None:
    """Classes and functions stay: to search them for garbage would take a quarter of the start."""
    gc.disable()
    import django

    django.setup()
    gc.freeze()
    gc.enable()


def _limit_memory(megabytes: int) -> None:
    import resource

    limit = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class _Body:
    """The body that was begun last, for the thread that reads the pipe."""

    current: CurrentRun | None = None


def _read(connection: Connection, arrived: queue.SimpleQueue[bytes], body: _Body) -> None:
    """Pass requests on. The end of the pipe is the end of the node: stop at once, so no old attempt outlives it."""
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            _end()
        if message != STOP:
            arrived.put(message)
        elif body.current is not None:  # the next request is read later: it can be meant for no other body
            body.current.stop(StopReason.TIMED_OUT)


def _send(connection: Connection, message: bytes) -> None:
    try:
        connection.send_bytes(message)
    except OSError:  # the node has ended meanwhile
        _end()


def _end() -> NoReturn:
    if hasattr(os, "setsid"):
        os.killpg(os.getpgrp(), signal.SIGKILL)  # this process leads its group: what tasks started ends too
    os._exit(0)


def encode_request(run: Any, *, node: str) -> bytes:
    values = run._asdict()
    values["scheduled_at"] = run.scheduled_at.isoformat()
    return json.dumps([values, node]).encode()


def decode_request(message: bytes) -> tuple[Any, str]:
    from scheduler.store.recording.runs import OwnedRun

    values, node = json.loads(message)
    values["scheduled_at"] = datetime.fromisoformat(values["scheduled_at"])
    return OwnedRun(**values), node


def encode_outcome(outcome: Any) -> bytes:
    from scheduler.messages import encode

    return json.dumps({"outcome": outcome._replace(value=None, reason=encode(outcome.reason))._asdict()}).encode()


def encode_note(note: Any) -> bytes:
    return json.dumps({"note": asdict(note)}).encode()


def decode_answer(message: bytes) -> Any:
    """Return the ``Outcome`` or the ``Note`` that a child sent."""
    from scheduler.messages import decode
    from scheduler.store.recording.finishing import Note, Outcome

    answer = json.loads(message)
    if "note" in answer:
        return Note(**answer["note"])
    values = answer["outcome"]
    values["state"] = RunState(values["state"])
    if values["reason"] is not None:
        values["reason"] = decode(values["reason"]["code"], values["reason"]["params"])
    return Outcome(**values)
