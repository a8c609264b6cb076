"""
Idempotent requests, after the IETF draft of ``Idempotency-Key``.

The key is written in the transaction of the request. A second request with the key waits for the first and gets its
response with ``Idempotent-Replay: true``. Rejected requests are not stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.errors import InvalidRequest, KeyReused
from scheduler.models import IdempotencyKey
from scheduler.services import transactions

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
LONGEST_KEY = 255
_KEY = re.compile(f"[!-~]{{1,{LONGEST_KEY}}}")
_SWEPT = 100
_LOCK_SECONDS = 10


def once(request: Request, do: Callable[[], Response]) -> Response:
    """
    Do it, or answer as the first request with this key was answered. Without a key it is just done.

    :raises KeyReused: the key came with another body
    """
    key = request.headers.get(HEADER)
    if key is None:
        return do()
    if not _KEY.fullmatch(key):
        raise InvalidRequest(f"The {HEADER} has 1 to {LONGEST_KEY} printable ASCII characters and no space.")
    body_hash = hashlib.sha256(request._request.body).hexdigest()
    owner = {"user_id": request.user.pk, "path": request.path[:500], "key": key}
    with transactions.atomic():
        transactions.limit_lock_waits(seconds=_LOCK_SECONDS)
        found, is_new = IdempotencyKey.objects.select_for_update().get_or_create(
            **owner, defaults={"body_hash": body_hash, "status": 0, "body": {}}
        )
        if not is_new and not IdempotencyKey.objects.filter(pk=found.pk, created_at__lt=Now() - KEPT).exists():
            if found.body_hash != body_hash:
                raise KeyReused
            return Response(found.body, status=found.status, headers={**found.headers, "Idempotent-Replay": "true"})
        response = do()
        headers = {name: response[name] for name in ("Location", "ETag") if response.has_header(name)}
        IdempotencyKey.objects.filter(pk=found.pk).update(
            body_hash=body_hash, status=response.status_code, body=response.data, headers=headers, created_at=Now()
        )
    _forget_old()
    return response


def _forget_old() -> None:
    """Delete a few keys that are over, so that the table stays small without anybody sweeping it."""
    old = IdempotencyKey.objects.filter(created_at__lt=Now() - KEPT).order_by(F("created_at").asc())
    IdempotencyKey.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_SWEPT])).delete()
