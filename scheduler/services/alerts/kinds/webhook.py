"""Webhooks, signed as Standard Webhooks asks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scheduler import messages, outgoing, sealing
from scheduler.errors import DeliveryFailed, DestinationRefused, InvalidChannel, RequestFailed
from scheduler.messages import phrase
from scheduler.services.alerts.kinds.kind import ChannelKind, Field

if TYPE_CHECKING:
    import httpx

    from scheduler.services.alerts.messages import Message

_PREFIX = "whsec_"
_TOTAL_SECONDS = 15.0
_MOST_BYTES = 2000
_GONE = 410
_LIMITS = outgoing.Limits(redirects=0, connect_seconds=5.0, read_seconds=10.0, total_seconds=_TOTAL_SECONDS)


class WebhookKind(ChannelKind):
    """JSON to an address, with a signature that proves where it comes from."""

    name = "webhook"
    label = messages.message("Webhook")
    fields = (
        Field(name="url", label=messages.message("Address"), is_required=True, is_secret=True),
        Field(
            name="secret",
            label=messages.message("Secret"),
            help=messages.message("“whsec_” and 24 to 64 bytes as base64. Leave empty to generate one."),
            is_secret=True,
        ),
        Field(
            name="former_secret",
            label=messages.message("Previous secret"),
            help=messages.message("Also signs messages while the receiver switches to the new secret."),
            is_secret=True,
        ),
    )

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """:raises InvalidChannel: the address may not be requested, or a secret is not one"""
        given = dict(config)
        if not given.get("secret"):
            given["secret"] = new_secret()
        for name in ("secret", "former_secret"):
            if isinstance(given.get(name), str) and given[name]:
                _key(given[name], field=name)
        if isinstance(given.get("url"), str):
            try:
                outgoing.check(url=given["url"].strip())
            except DestinationRefused as error:
                raise InvalidChannel(error.message, field="url") from None
        return super().check(given)

    def send(self, *, message: Message, config: Mapping[str, Any]) -> str:
        """:raises DeliveryFailed: with the status, or why there is none"""
        body = json.dumps(message.data, ensure_ascii=False, separators=(",", ":")).encode()
        keys = [config["secret"], *([config["former_secret"]] if config.get("former_secret") else [])]
        headers = {
            "content-type": "application/json",
            "user-agent": "openlearn-scheduler",
            "accept-encoding": "identity",
            **signature(id=message.id, at=int(message.at.timestamp()), body=body, keys=keys),
        }
        status, text = _post(config["url"], headers, body)
        shown = f"{status} {text}".strip()
        if 200 <= status < 300:
            return shown
        if 300 <= status < 400:
            raise DeliveryFailed(
                phrase("The receiver answered {answer}: redirects are not followed.", answer=f"{status}")
            )
        raise DeliveryFailed(phrase("The receiver answered {answer}.", answer=shown), gone=status == _GONE)


def new_secret() -> str:
    """Make a secret of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(*, id: str, at: int, body: bytes, keys: list[str]) -> dict[str, str]:
    """Return the headers that identify, date and sign a message. ``at`` is in Unix time."""
    signed = f"{id}.{at}.".encode() + body
    digests = [hmac.new(_key(key), signed, hashlib.sha256).digest() for key in keys]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }


def _key(secret: str, *, field: str = "secret") -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise InvalidChannel(
            phrase("{name} must be “whsec_” and 24 to 64 bytes as base64.", name=field), field=field
        ) from None
    return key


def _post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """
    Send and read the beginning of the answer: a receiver may answer with as much as it likes.

    :raises DeliveryFailed: the server did not respond
    """
    import httpx  # with the first message

    try:
        with (
            outgoing.client(limits=_LIMITS) as client,
            outgoing.deadline_in(seconds=_TOTAL_SECONDS),
            client.stream("POST", outgoing.parse(url), headers=headers, content=body) as response,
        ):
            return response.status_code, _beginning(response)
    except RequestFailed as error:
        raise DeliveryFailed(error.message) from error
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise DeliveryFailed(phrase("The receiver cannot be reached: {error}.", error=str(error)[:200])) from error
    except httpx.TimeoutException as error:
        raise DeliveryFailed(
            phrase("The receiver did not answer within {seconds:g} seconds.", seconds=_TOTAL_SECONDS), unsure=True
        ) from error
    except (httpx.HTTPError, UnicodeError) as error:
        raise DeliveryFailed(
            phrase("The receiver closed the connection: {error}.", error=str(error)[:200]), unsure=True
        ) from error


def _beginning(response: httpx.Response) -> str:
    import httpx

    found = b""
    try:
        for piece in response.iter_raw():
            found += piece[: _MOST_BYTES - len(found)]
            if len(found) >= _MOST_BYTES:
                break
    except httpx.HTTPError:
        pass  # the status has arrived, and that is what counts
    text = found.decode("utf-8", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]


def shown_secret(config: Mapping[str, Any]) -> str:
    """Return the signing secret, for whoever sets the receiver up."""
    return sealing.unseal(config["secret"]) if sealing.is_sealed(config.get("secret")) else ""
