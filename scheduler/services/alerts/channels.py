"""Channels: where messages go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, time
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Count, Q, QuerySet

from scheduler import sealing
from scheduler.core.alerts import NotificationState, answers
from scheduler.core.states import Via
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import ChannelNotFound, DeliveryFailed, InvalidChannel, NameTaken, SchedulerError
from scheduler.messages import phrase
from scheduler.models import Channel, Notification
from scheduler.services import masking, transactions
from scheduler.services.alerts import changes, digests, kinds, messages
from scheduler.services.alerts.kinds.kind import opened
from scheduler.store.clock import database_now

_PLAIN = ("enabled", "per_minute", "zone", "language", "quiet_from", "quiet_until", "digest", "digest_at")
FIELDS = ("name", "kind", "config", *_PLAIN)

_DIGEST_AT = time(8)


def all_channels() -> QuerySet[Channel]:
    """Return the channels with the number of messages that wait, by name."""
    waiting = Count("notifications", filter=Q(notifications__state=NotificationState.PENDING))
    return Channel.objects.annotate(waiting=waiting)


def get(*, id: int) -> Channel:
    """:raises ChannelNotFound: a channel with this id does not exist"""
    channel = all_channels().filter(pk=id).first()
    if channel is None:
        raise ChannelNotFound(phrase("There is no channel with the id {id}.", id=f"{id}"))
    return channel


def is_any_tested() -> bool:
    """Return whether messages are known to reach somebody."""
    return Channel.objects.filter(enabled=True, tested_at__isnull=False).exists()


def create(*, name: str, kind: str, actor: str = "", via: Via | str = Via.CODE, **given: Any) -> Channel:
    """
    Create a channel.

    ``given`` are fields of ``FIELDS``. ``config`` has what its kind asks for.

    :raises InvalidChannel, NameTaken: naming the field, its value and what is allowed
    """
    channel = Channel(kind=kind)
    with transactions.atomic():
        values = {"digest_at": _DIGEST_AT, **given, "name": name, "kind": kind}
        _save(channel, values, before={}, action="created", actor=actor, via=via)
    return channel


def update(*, channel: Channel, actor: str = "", via: Via | str = Via.CODE, **given: Any) -> Channel:
    """
    Change a channel. A mask in place of a secret leaves the secret as it is.

    :raises InvalidChannel, NameTaken: no change was made
    """
    with transactions.atomic():
        stored = Channel.objects.select_for_update().filter(pk=channel.pk).first()
        if stored is None:
            raise ChannelNotFound(phrase("The channel “{name}” was deleted in the meantime.", name=channel.name))
        before = _columns(stored)
        if "config" in given:
            config = masking.unmasked(given=given["config"], stored=stored.config, pointer="/config")
            given = {**given, "config": {**stored.config, **config}}
            _refuse_moved_secrets(stored, given["config"])
        _save(stored, {**before, **given}, before=before, action="edited", actor=actor, via=via)
    return stored


def check(*, channel: Channel | None, name: str, kind: str, config: Mapping[str, Any], **given: Any) -> None:
    """
    Check a channel without saving it. ``channel``: the one that is changed.

    :raises InvalidChannel, NameTaken: as ``create`` and ``update``
    """
    taken = Channel.objects.filter(name=_name(name))
    if (taken if channel is None else taken.exclude(pk=channel.pk)).exists():
        raise NameTaken(phrase("There is a channel “{name}” already. Choose another name.", name=name))
    if channel is not None:
        config = {**channel.config, **masking.unmasked(given=config, stored=channel.config, pointer="/config")}
        _refuse_moved_secrets(channel, config)
    kinds.get(kind).check(config)
    for field, value in given.items():
        _plain(field, value)


def remove(*, channel: Channel, actor: str = "", via: Via | str = Via.CODE) -> None:
    """Delete a channel, with the messages that wait for it. Rules that name it go on without it."""
    with transactions.atomic():
        changes.note(about=channel, action="deleted", before=_columns(channel), after={}, actor=actor, via=via)
        channel.delete()


def test(*, channel: Channel) -> str:
    """
    Send a test message at once, through the real path, and return the answer.

    :raises DeliveryFailed: with what went wrong
    """
    notification = messages.sample(channel=channel)
    notification.state = NotificationState.FAILED  # until it is sent: no sender is to take it
    notification.save()
    try:
        message = messages.render(notification=notification)
        answer = kinds.get(channel.kind).send(message=message, config=opened(channel.config))
    except DeliveryFailed as error:
        _record_test(notification, answer=error.message, is_sent=False)
        raise
    except SchedulerError as error:
        _record_test(notification, answer=error.message, is_sent=False)
        raise DeliveryFailed(error.message) from error
    _record_test(notification, answer=answer, is_sent=True)
    return answer


def _record_test(notification: Notification, *, answer: str, is_sent: bool) -> None:
    now = database_now()
    text, data = str(answer)[: answers.LONGEST], answers.data_of(answer)
    notification.attempts, notification.tried_at = 1, now
    notification.answer, notification.answer_message = text, data
    notification.state = NotificationState.SENT if is_sent else NotificationState.FAILED
    notification.sent_at = now if is_sent else None
    notification.save()
    about = Channel.objects.filter(pk=notification.channel_id)
    if is_sent:
        about.update(tested_at=now, failing_since=None, last_error="", last_error_message=None, last_sent_at=now)
    else:
        about.update(last_error=text, last_error_message=data)


def send_again(*, notification: Notification) -> None:
    """Let a message that waits, or was given up, go at once."""
    Notification.objects.filter(
        pk=notification.pk, state__in=(NotificationState.PENDING, NotificationState.FAILED)
    ).update(state=NotificationState.PENDING, due_at=database_now(), attempts=0)


def _save(
    channel: Channel, given: Mapping[str, Any], *, before: Mapping[str, Any], action: str, actor: str, via: Via | str
) -> None:
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise InvalidChannel(phrase("A channel has no {names}.", names=", ".join(unknown)), field=unknown[0])
    kind = kinds.get(given["kind"])
    config = given.get("config") or {}
    if not isinstance(config, Mapping):
        raise InvalidChannel(phrase("config must be an object."), field="config")
    channel.kind, channel.config = kind.name, kind.check(config)
    channel.name = _name(given.get("name"))
    for name in _PLAIN:
        if name in given:
            setattr(channel, name, _plain(name, given[name]))
    channel.next_digest_at = digests.next_at(channel=channel, now=database_now())
    channel.updated_at = database_now()
    try:
        with transactions.atomic():
            channel.save()
    except IntegrityError as error:
        raise NameTaken(
            phrase("There is a channel “{name}” already. Choose another name.", name=channel.name)
        ) from error
    changes.note(about=channel, action=action, before=before, after=_columns(channel), actor=actor, via=via)


def _refuse_moved_secrets(stored: Channel, config: Mapping[str, Any]) -> None:
    """A secret that stays must not be sent to another place: whoever sees only a mask would get it."""
    kept = [
        field.name
        for field in kinds.get(stored.kind).fields
        if field.is_secret and field.name != "url" and sealing.is_sealed(config.get(field.name))
    ]
    moved = "url" in stored.config and config.get("url") != stored.config["url"]
    if moved and kept and isinstance(config.get("url"), str):
        raise InvalidChannel(
            phrase(
                "The address is another one: enter the secret again as well, or leave {names} empty for a new one.",
                names=", ".join(kept),
            ),
            field=kept[0],
        )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= 100 or not value.isprintable():
        raise InvalidChannel(phrase("name must be a text of 1 to 100 characters."), field="name")
    return value.strip()


def _plain(name: str, value: Any) -> Any:
    if name == "enabled":
        return bool(value)
    if name == "per_minute":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
            raise InvalidChannel(
                phrase("per_minute is “{value}”. It must be a whole number from 1 to 10,000.", value=f"{value}"),
                field=name,
            )
        return value
    if name == "zone":
        return _zone(value or "UTC")
    if name == "language":
        if value and value not in dict(settings.LANGUAGES):
            raise InvalidChannel(
                phrase(
                    "language is “{value}”. It must be {allowed}.",
                    value=f"{value}"[:20],
                    allowed=", ".join(dict(settings.LANGUAGES)),
                ),
                field=name,
            )
        return value or ""
    if name == "digest":
        if value not in ("", "daily", "weekly", None):
            raise InvalidChannel(
                phrase("digest is “{value}”. It must be daily, weekly or empty.", value=f"{value}"[:20]), field=name
            )
        return value or ""
    return _time(name, value)


def _zone(value: str) -> str:
    """Messages name the place, so that a fixed offset is not enough."""
    try:
        zone = zone_named(value)
    except LookupError:
        zone = None
    if zone is UTC:
        return "UTC"
    if not isinstance(zone, ZoneInfo):
        raise InvalidChannel(
            phrase("zone is “{value}”. It must be a region such as Europe/Berlin, or UTC.", value=f"{value}"[:64]),
            field="zone",
        )
    return zone.key


def _time(name: str, value: Any) -> time | None:
    if value in (None, "") and name != "digest_at":
        return None
    try:
        return value if isinstance(value, time) else time.fromisoformat(str(value))
    except ValueError:
        raise InvalidChannel(
            phrase("{name} is “{value}”. It must be a time such as 22:00.", name=name, value=f"{value}"[:20]),
            field=name,
        ) from None


def _columns(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "kind": channel.kind,
        "config": channel.config,
        **{name: _shown(getattr(channel, name)) for name in _PLAIN},
    }


def _shown(value: Any) -> Any:
    return value.strftime("%H:%M") if isinstance(value, time) else value


def represent(channel: Channel) -> dict[str, Any]:
    """Describe a channel as JSON, with its secrets masked."""
    from scheduler.services.queries.representations import instant

    return {
        "id": channel.pk,
        **masking.masked(_columns(channel)),
        "tested_at": instant(channel.tested_at),
        "failing_since": instant(channel.failing_since),
        "last_error": channel.last_error,
        "last_sent_at": instant(channel.last_sent_at),
        "sent": channel.sent,
        "failed": channel.failed,
    }
