"""Messages of nodes, in the parent of a Celery worker: they reach no pool of Celery's."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kombu.transport import virtual

from scheduler.contrib.celery import messages
from scheduler.contrib.celery.steps import Bodies, has_other_tasks
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

Handler = Callable[..., None]


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Handler:
    """Return what handles each message. Called whenever the worker has connected to its broker."""
    worker = Bodies.of(consumer.controller).worker
    if worker is not None:
        worker.forget_rings()
    channel = consumer.connection.default_channel
    if hasattr(channel, "do_restore") and not has_other_tasks(app):
        # Rings need not be put back when the connection ends, and kombu 5.7 fails over that if the broker is gone.
        channel.do_restore = False
    answered = Answered(consumer)

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        try:
            ring = messages.ring_of(message.payload)
        except ValueError as error:
            logger.warning(events.WORKER_MESSAGE_UNREADABLE, extra={"error": str(error)})
            _acknowledge(message)
            return
        if worker is None:
            logger.warning(events.WORKER_SERVES_NO_RINGS, extra={"run": ring.run})
            _acknowledge(message)  # the run is rung again
        else:
            worker.ring(ring, answered=lambda: answered.add(message))

    return handle


class Answered:
    """
    Messages that the ledger has answered, until they are acknowledged together.

    Connections to brokers belong to the consumer's thread. ``add`` is called in the one of the worker's loop.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._waiting: deque[Any] = deque()

    def add(self, message: Any) -> None:
        self._waiting.append(message)
        if len(self._waiting) == 1:  # the first one has them all acknowledged
            self._consumer.call_soon(self._acknowledge)

    def _acknowledge(self) -> None:
        several = []
        while self._waiting:
            several.append(self._waiting.popleft())
        try:
            if several:
                _acknowledge_together(several)
        except Exception as error:  # noqa: BLE001 - each transport has errors of its own
            logger.debug(events.WORKER_MESSAGE_NOT_ACKNOWLEDGED, extra={"error": str(error)})


def _acknowledge_together(several: Sequence[Any]) -> None:
    """Tell Valkey or Redis in one round trip, where kombu has one, and a new client, for each message."""
    channels = {message.channel for message in several}
    quality: Any = getattr(several[0].channel, "qos", None)
    if len(channels) > 1 or not hasattr(quality, "_remove_from_indices"):
        for message in several:
            _acknowledge(message)
        return
    with quality.pipe_or_acquire() as pipe:
        for message in several:
            quality._remove_from_indices(message.delivery_tag, pipe)
        pipe.execute()
    for message in several:
        virtual.QoS.ack(quality, message.delivery_tag)


def _acknowledge(message: Any) -> None:
    """A message that cannot be acknowledged is delivered again, and dropped by the start gate then."""
    try:
        message.ack()
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        logger.debug(events.WORKER_MESSAGE_NOT_ACKNOWLEDGED, extra={"error": str(error)})
