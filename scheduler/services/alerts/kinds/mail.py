"""Mail, through whatever Django sends mail with."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email

from scheduler import messages
from scheduler.errors import DeliveryFailed, InvalidChannel
from scheduler.messages import phrase
from scheduler.services.alerts.kinds.kind import ChannelKind, Field

if TYPE_CHECKING:
    from scheduler.services.alerts.messages import Message

_SECONDS = 30


class MailKind(ChannelKind):
    """HTML and text to some addresses. The messages about one incident are one thread."""

    name = "mail"
    label = messages.message("Mail")
    fields = (
        Field(
            name="to",
            label=messages.message("Addresses"),
            help=messages.message("Separated by commas."),
            is_list=True,
        ),
        Field(name="admins", label=messages.message("Also the addresses in ADMINS"), is_flag=True),
    )

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """:raises InvalidChannel: an address cannot be one, or there is none"""
        checked = super().check(config)
        for address in checked["to"]:
            try:
                validate_email(parseaddr(address)[1])
            except ValidationError:
                raise InvalidChannel(
                    phrase("“{address}” is not a mail address.", address=address[:100]), field="to"
                ) from None
        if not checked["to"] and not checked["admins"]:
            raise InvalidChannel(phrase("to is empty: enter an address, or choose those in ADMINS."), field="to")
        return checked

    def send(self, *, message: Message, config: Mapping[str, Any]) -> str:
        """:raises DeliveryFailed: with what the mail server said"""
        to = list(dict.fromkeys([*config["to"], *(_admins() if config["admins"] else ())]))
        if not to:
            raise DeliveryFailed(phrase("ADMINS is empty, and the channel names no other address."))
        mail = EmailMultiAlternatives(
            subject=message.subject,
            body=message.text,
            from_email=settings.SERVER_EMAIL if config["admins"] else settings.DEFAULT_FROM_EMAIL,
            to=to,
            headers=_headers(message),
        )
        mail.attach_alternative(message.html, "text/html")
        try:
            if not hasattr(settings, "MAILERS"):  # from Django 6.1 on, MAILERS sets the time limit with the rest
                mail.connection = get_connection(timeout=settings.EMAIL_TIMEOUT or _SECONDS)
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            raise DeliveryFailed(_short(str(error.recipients))) from error
        except TimeoutError as error:
            raise DeliveryFailed(phrase("The mail server did not answer in time."), unsure=True) from error
        except smtplib.SMTPServerDisconnected as error:
            raise DeliveryFailed(_short(str(error)), unsure=True) from error
        except Exception as error:  # any backend may be installed, each with errors of its own
            raise DeliveryFailed(_short(f"{type(error).__name__}: {error}")) from error
        return phrase("Recipients that the mail server accepted: {count}.", count=f"{len(to)}")


def _admins() -> list[str]:
    """Django 6 lists addresses. Before it was pairs of name and address."""
    return [entry if isinstance(entry, str) else entry[1] for entry in settings.ADMINS]


def _headers(message: Message) -> dict[str, str]:
    domain = message.domain
    headers = {
        "Message-ID": f"<{message.id}@{domain}>",
        "List-Id": f"OpenLearn Scheduler <alerts.{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if message.answers:
        reference = f"<{message.answers}@{domain}>"
        headers |= {"In-Reply-To": reference, "References": reference}
    if message.severity == "critical":
        headers["Importance"] = "high"
    return headers


def _short(text: str) -> str:
    return " ".join(text.split())[:500]
