from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from knox.models import get_token_model

from scheduler.management import printing
from scheduler.management.terminal import SafeCommand


class Command(SafeCommand):
    help = (
        "Make an API token for a user and print it, once: only its hash is kept. "
        "Exit code 0: made; 2: no such user, or no database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="The name of the user whose permissions the token has.")
        parser.add_argument(
            "--days",
            type=printing.whole(least=1, most=3650),
            default=90,
            metavar="N",
            help="How long it is good for. Default: 90.",
        )

    def handle(self, *, user: str, days: int, **options: Any) -> None:
        printing.guarded(lambda: self._make(user=user, days=days))

    def _make(self, *, user: str, days: int) -> None:
        model = get_user_model()
        found = model.objects.filter(**{model.USERNAME_FIELD: user}).first()
        if found is None:
            raise CommandError(f"There is no user “{user}”.", returncode=printing.NOT_ASKED)
        token, text = get_token_model().objects.create(user=found, expiry=timedelta(days=days))
        printing.note(self.stderr, f"Token {token.token_key} of {user} is good until {token.expiry:%Y-%m-%d}.")
        self.stdout.write(text)
