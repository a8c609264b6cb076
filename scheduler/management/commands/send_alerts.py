from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services.alerts.sender import Sender


class Command(SafeCommand):
    help = (
        "Send alerts from a process of their own. Nodes do it by themselves, unless they run with --no-alerts; "
        "any number of senders may run at once. SIGTERM or Ctrl-C stops it."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Send what is due now, and exit.")
        parser.add_argument(
            "--timeout",
            type=printing.seconds,
            default=60.0,
            metavar="SECONDS",
            help="With --once: how long that may take. Default: 60.",
        )

    def handle(self, *, once: bool, timeout: float, **options: Any) -> None:
        sender = Sender()
        if once:
            printing.guarded(lambda: self._once(sender, timeout))
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        sender.start()
        while not stop.wait(1.0):
            pass
        sender.stop(timeout=10.0)

    def _once(self, sender: Sender, timeout: float) -> None:
        if not sender.run_until_empty(timeout=timeout):
            raise CommandError("The time was up before everything was sent.", returncode=printing.REFUSED)
