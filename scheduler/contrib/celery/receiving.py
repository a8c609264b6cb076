"""Messages of nodes, in the parent of a Celery worker: they reach no pool of Celery's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

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

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        def answered() -> None:
            consumer.call_soon(_acknowledge, message)  # connections to brokers belong to the consumer's thread

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
            worker.ring(ring, answered=answered)

    return handle


def _acknowledge(message: Any) -> None:
    """A message that cannot be acknowledged is delivered again, and dropped by the start gate then."""
    try:
        message.ack()
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        logger.debug(events.WORKER_MESSAGE_NOT_ACKNOWLEDGED, extra={"error": str(error)})
