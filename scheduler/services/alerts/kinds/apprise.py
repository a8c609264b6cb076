"""Chats and pagers through Apprise, which speaks to over a hundred services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scheduler import conf, messages
from scheduler.errors import DeliveryFailed, InvalidChannel
from scheduler.messages import phrase
from scheduler.services.alerts.kinds.kind import ChannelKind, Field

if TYPE_CHECKING:
    from scheduler.services.alerts.messages import Message


class AppriseKind(ChannelKind):
    """
    One address of Apprise. Its requests are its own and do not pass the guard against private addresses.

    So only the schemes of ``SCHEDULER["APPRISE_SCHEMES"]`` are taken, from users with a permission for it.
    """

    name = "apprise"
    label = messages.message("Chat or pager, through Apprise")
    fields = (
        Field(
            name="url",
            label=messages.message("Apprise address"),
            help=messages.message(
                "Such as slack://…, mmost://…, msteams://…, discord://…, ntfy://…, pagerduty://…, tgram://…"
            ),
            is_required=True,
            is_secret=True,
        ),
    )

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """:raises InvalidChannel: its scheme is not allowed, or Apprise cannot read it"""
        url = config.get("url")
        if isinstance(url, str) and url:
            _refuse_scheme(url)
            import apprise

            if not apprise.Apprise().add(url.strip()):
                raise InvalidChannel(phrase("url cannot be read by Apprise: a part of it is missing."), field="url")
        return super().check(config)

    def send(self, *, message: Message, config: Mapping[str, Any]) -> str:
        """:raises DeliveryFailed: Apprise says only that it failed. Its log says more"""
        import apprise

        try:
            _refuse_scheme(config["url"])
        except InvalidChannel as error:
            raise DeliveryFailed(error.message) from None
        service = apprise.Apprise()
        service.add(config["url"])
        kinds = {"recovered": apprise.NotifyType.SUCCESS, "digest": apprise.NotifyType.INFO}
        severe = apprise.NotifyType.FAILURE if message.severity == "critical" else apprise.NotifyType.WARNING
        accepted = service.notify(
            title=message.subject,
            body=message.text,
            body_format=apprise.NotifyFormat.TEXT,
            notify_type=kinds.get(message.kind, severe),
        )
        if not accepted:
            raise DeliveryFailed(
                phrase("The service did not accept it. The log of Apprise has the reason."), unsure=True
            )
        return phrase("The service accepted it.")


def _refuse_scheme(url: str) -> None:
    scheme = url.strip().partition("://")[0].lower()
    allowed = conf.get().apprise_schemes
    if scheme not in allowed:
        raise InvalidChannel(
            phrase(
                "url begins with “{scheme}”. SCHEDULER['APPRISE_SCHEMES'] allows {allowed}.",
                scheme=scheme[:32],
                allowed=", ".join(allowed),
            ),
            field="url",
        )
