"""The doorbell: sends rings to one queue of the project's Celery broker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from celery import Celery
from django.utils.module_loading import import_string
from kombu import Connection, Producer
from kombu.common import maybe_declare

from scheduler import conf
from scheduler.contrib.celery import messages
from scheduler.contrib.celery.batches import Batch, batch_of
from scheduler.core import error_messages
from scheduler.core.queues import executor_messages
from scheduler.errors import BrokerUnavailable, UnusableExecutor
from scheduler.remote.executors import Ring
from scheduler.untouched import time

LONGEST_SECONDS = 5.0
"""The longest that a broker may take for one batch."""

_STEP_SECONDS = 2.0
"""The longest that a broker may take for each answer, and to accept a connection."""


class CeleryBell:
    """Rings one queue. All queues of a process share one connection."""

    def __init__(self, target: str) -> None:
        self._queue = target

    def check(self) -> None:
        """:raises UnusableExecutor: no broker is configured"""
        try:
            url = application().conf.broker_url
        except ImportError as error:
            problem = f"{error}"
            raise UnusableExecutor(
                executor_messages.NO_CELERY_APP(path=conf.get().celery_app, problem=problem)
            ) from None
        if not url:
            raise UnusableExecutor(executor_messages.NO_CELERY_BROKER(name=f"celery:{self._queue}"))

    def ring(self, rings: Sequence[Ring]) -> None:
        """:raises BrokerUnavailable: some of them may have been sent"""
        self.check()
        line().send(self._queue, rings)


class Line:
    """The connection of this process to the broker. It is made anew after whatever failed."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._channel: Any = None
        self._batch: Batch | None = None
        self._one_at_a_time = threading.Lock()

    def send(self, queue: str, rings: Sequence[Ring]) -> None:
        """
        Send a batch and wait until the broker has all of it.

        :raises BrokerUnavailable: some of them may have been sent
        """
        with self._one_at_a_time:
            deadline = time.monotonic() + LONGEST_SECONDS
            was_open = self._channel is not None
            try:
                try:
                    self._send(queue, rings, deadline)
                except Exception:
                    # A broker that was restarted since has closed the connection. Messages may be doubled.
                    self.close()
                    if not was_open or time.monotonic() + _STEP_SECONDS > deadline:
                        raise
                    self._send(queue, rings, deadline)
            except Exception as error:  # each transport has errors of its own, and all of them mean the same
                self.close()
                problem = f"{type(error).__name__}: {error}"[:300]
                raise BrokerUnavailable(
                    error_messages.BROKER_REFUSED(broker=self._app.connection_for_write().as_uri(), problem=problem)
                ) from error

    def close(self) -> None:
        """Drop the connection without a word to a broker that may not listen."""
        connection, self._connection, self._channel, self._batch = self._connection, None, None, None
        if connection is not None:
            connection.collect(socket_timeout=0.5)

    def _send(self, queue: str, rings: Sequence[Ring], deadline: float) -> None:
        channel = self._channel or self._open()
        assert self._batch is not None  # noqa: S101 - it is opened with the channel
        maybe_declare(self._app.amqp.queues[queue], channel)
        producer = Producer(channel, auto_declare=False)
        for ring in rings:
            if time.monotonic() > deadline:
                raise TimeoutError(f"It took more than {LONGEST_SECONDS:g} s.")
            message = messages.message(ring)
            producer.publish(
                message.body,
                routing_key=queue,  # of the nameless exchange, from which every queue gets what bears its name
                content_type="application/json",
                content_encoding="utf-8",
                headers=message.headers,
                correlation_id=message.headers["id"],
            )
        self._batch.finish(len(rings), deadline=deadline)

    def _open(self) -> Any:
        connection = self._connection = self._app.connection_for_write()
        connection.connect_timeout = _STEP_SECONDS
        driver = connection.transport.driver_type
        connection.transport_options = {**_limits(driver == "amqp"), **(connection.transport_options or {})}
        channel = connection.channel()
        self._batch = batch_of(channel, driver=driver)
        self._channel = channel
        return channel


def _limits(is_amqp: bool) -> dict[str, Any]:
    """Return the options by which a step of the transport ends in time."""
    if is_amqp:
        return {"read_timeout": _STEP_SECONDS, "write_timeout": _STEP_SECONDS}
    return {"socket_timeout": _STEP_SECONDS, "socket_connect_timeout": _STEP_SECONDS}


@lru_cache(maxsize=1)
def line() -> Line:
    return Line(application())


@lru_cache(maxsize=1)
def application() -> Celery:
    """
    Return the project's Celery application, or one of our own with the settings that begin with ``CELERY_``.

    :raises ImportError: the setting ``CELERY_APP`` leads nowhere
    """
    path = conf.get().celery_app
    if path:
        app: Celery = import_string(path.replace(":", "."))
        return app
    app = Celery("scheduler", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app
