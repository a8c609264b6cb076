"""The queues on the dashboard: shown once runs wait or run in another one than the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from scheduler.admin.format import display
from scheduler.core.health.standing import QueueView
from scheduler.core.queues.tracks import DEFAULT_QUEUE
from scheduler.services import queues as queue_service
from scheduler.services.sites import reverse

_MOST = 10


def rows(request: HttpRequest, queues: Sequence[QueueView]) -> list[dict[str, Any]]:
    """
    Return the queues with the oldest waiting runs first.

    Empty if the only queue is the default one, or if the user may not see queues.
    """
    if not request.user.has_perm("scheduler.view_queue") or all(queue.name == DEFAULT_QUEUE for queue in queues):
        return []
    ended = queue_service.ended_last_hour()
    ordered = sorted(queues, key=lambda queue: (-(queue.oldest or 0.0), queue.name))
    return [
        {
            "queue": queue,
            "address": reverse("admin:scheduler_queue_page", args=[queue.name]),
            "ended": ended.get(queue.name, 0),
            "oldest": "–" if queue.oldest is None else display.took(queue.oldest),
        }
        for queue in ordered[:_MOST]
    ]
