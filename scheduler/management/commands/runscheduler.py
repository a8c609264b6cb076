from __future__ import annotations

import dataclasses
import gc
import logging
import re
import time
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError, CommandParser
from django.db.utils import Error

from scheduler import __version__, conf
from scheduler.core.queues import tracks
from scheduler.core.tasks.registry import registry
from scheduler.engine.node import Node
from scheduler.engine.reporter import Reporter
from scheduler.engine.scheduler import DurableScheduler
from scheduler.errors import DatabaseUnavailable, InvalidQueue, Misconfigured, WrongEnvironment
from scheduler.management import log_output, printing, stopping
from scheduler.management.stopping import StopSignals
from scheduler.management.terminal import SafeCommand
from scheduler.services import installation
from scheduler.services.alerts.sender import Sender
from scheduler.services.database_errors import is_transient
from scheduler.store.liveness.installation import adopt
from scheduler.telemetry import events

if TYPE_CHECKING:
    from scheduler.telemetry.exporter import MetricsServer

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 5.0

_MOST_AT_ONCE = 10_000
"""Threads or processes: more are a slip of the finger, and would take the machine down."""


class Command(SafeCommand):
    help = "Run jobs when they are due, as one node of possibly many. SIGTERM or Ctrl-C stops it; a second one at once."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--threads",
            type=printing.whole(least=1, most=_MOST_AT_ONCE),
            metavar="N",
            help="Runs at once on the executor “default”.",
        )
        parser.add_argument(
            "--processes",
            type=printing.whole(least=0, most=_MOST_AT_ONCE),
            metavar="N",
            help="Runs at once on “processpool”; 0: none.",
        )
        parser.add_argument(
            "--grace", type=printing.seconds, metavar="SECONDS", help="How long running tasks may go on after SIGTERM."
        )
        parser.add_argument(
            "--queues", metavar="NAME,…", help="Serve these queues only, such as “mail,default”. Default: all."
        )
        parser.add_argument("--name", metavar="NODE", help="The name that people see. Default: the host's name.")
        _add_start_arguments(parser)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run from the command line. When the node has stopped, its process ends, whatever its tasks left behind."""
        super().run_from_argv(argv)
        stopping.end_process_soon()

    def handle(
        self,
        *,
        once: bool,
        wait: float,
        adopt_environment: bool,
        apply: bool,
        metrics_port: tuple[str, int] | None,
        alerts: bool,
        **options: Any,
    ) -> None:
        signals = StopSignals()
        signals.catch()
        self._stop = signals.stop
        self._patience = wait
        self._has_noted_wait = False
        stopping.show_threads_when_aborted()
        settings = self._settings({**options, "pacemaker": False if once else None})
        is_plain = log_output.ensure()
        deadline = time.monotonic() + wait
        self._await_database(deadline)
        if self._stop.is_set():
            return
        if adopt_environment:
            adopt(environment=settings.environment)
        if apply:
            self._apply()
        server = self._server(metrics_port)
        scheduler = self._start(settings, deadline)
        if scheduler is None:
            return
        assert scheduler.node is not None  # noqa: S101 - it was started
        scheduler.node.hurry = signals.hurry
        if is_plain or self.stdout.isatty():
            self.stdout.write(_banner(scheduler.node))
        beside = self._start_beside(scheduler.node, settings, server, Sender() if alerts and not once else None)
        self._run(scheduler, once=once)
        for part in beside:
            part.stop()
        scheduler.shutdown()

    def _run(self, scheduler: DurableScheduler, *, once: bool) -> None:
        """Return when the node is to stop, or ``once`` when everything due has run."""
        if once:
            self._until_nothing_is_due(scheduler)
        else:
            # What start-up made stays: to look through it again and again would stop all threads for up to 0.1 s.
            gc.freeze()
            self._watch(scheduler)

    def _apply(self) -> None:
        """Synchronise declared jobs. A refused declaration is reported. The node starts nevertheless."""
        from scheduler.management import declared

        try:
            declared.apply_at_start(out=self.stderr, style=self.style)
        except Error as error:
            raise CommandError(f"The declared jobs could not be synchronised: {error}") from None

    def _start(self, settings: conf.SchedulerSettings, deadline: float) -> DurableScheduler | None:
        """
        Start a node. ``None``: it was asked to stop before.

        One session was enough to look at the database, and a node needs several: a server may have no room for these.

        :raises CommandError: with what to do
        """
        while not self._stop.is_set():
            scheduler = DurableScheduler(settings=settings, owns_process=True)
            try:
                scheduler.start()
            except WrongEnvironment as error:
                raise CommandError(str(error)) from None
            except DatabaseUnavailable as error:
                if not is_transient(error) or time.monotonic() >= deadline:
                    raise CommandError(f"The database went away while the node started: {error}") from None
                self._wait_for_the_database(deadline, str(error))
            else:
                return scheduler
        return None

    def _server(self, address: tuple[str, int] | None) -> MetricsServer | None:
        """
        Take the port before anything starts.

        :raises CommandError: it cannot be had
        """
        if address is None:
            return None
        from scheduler.telemetry.exporter import MetricsServer

        try:
            return MetricsServer(host=address[0], port=address[1])
        except OSError as error:
            raise CommandError(f"Metrics cannot be served on {address[0]}:{address[1]}: {error.strerror}.") from None

    def _start_beside(
        self, node: Node, settings: conf.SchedulerSettings, server: MetricsServer | None, sender: Sender | None
    ) -> list[Reporter | MetricsServer | Sender]:
        parts: list[Reporter | MetricsServer | Sender] = [Reporter(node=node, settings=settings)]
        parts += [part for part in (server, sender) if part is not None]
        for part in parts:
            part.start()
        return parts

    def _settings(self, options: dict[str, Any]) -> conf.SchedulerSettings:
        """Let the command line overrule the settings."""
        given = {
            "threads": options["threads"],
            "processes": options["processes"],
            "grace_seconds": options["grace"],
            "node_name": options["name"],
            "pacemaker": options["pacemaker"],
        }
        try:
            if options["queues"] is not None:
                given["queues"] = tuple(tracks.checked_name(name.strip()) for name in options["queues"].split(","))
            settings = conf.checked(
                dataclasses.replace(conf.get(), **{name: value for name, value in given.items() if value is not None})
            )
        except (Misconfigured, InvalidQueue) as error:
            raise CommandError(str(error)) from None
        if not settings.enabled:
            raise CommandError("ENABLE_SCHEDULER is off here: no node is started. Set ENABLE_SCHEDULER=1 to allow it.")
        return settings

    def _await_database(self, deadline: float) -> None:
        """
        Wait while the server is starting. Reject at once faults that waiting does not cure.

        :raises CommandError: with what to do
        """
        while not self._stop.is_set():
            health = installation.check()
            if health.connection_valid:
                if health.error:
                    raise CommandError(health.error)
                return
            if not health.is_transient or time.monotonic() >= deadline:
                raise CommandError(health.error or "The database cannot be used.")
            self._wait_for_the_database(deadline, health.error or "")

    def _wait_for_the_database(self, deadline: float, why: str) -> None:
        """Let a moment pass, and log once the reason for waiting."""
        if not self._has_noted_wait:
            printing.note(self.stderr, f"Waiting up to {self._patience:g} s for the database: {why}")
            self._has_noted_wait = True
        self._stop.wait(min(1.0, max(0.0, deadline - time.monotonic())))

    def _watch(self, scheduler: DurableScheduler) -> None:
        """Log when the loop makes no progress, and when it does again, until the node is to stop."""
        was_stalled = False
        while not self._stop.wait(_WATCH_SECONDS):
            stalled = scheduler.stalled_seconds
            if stalled and not was_stalled:
                logger.error(events.NODE_STALLED, extra={"seconds": round(stalled)})
            elif was_stalled and not stalled:
                logger.warning(events.NODE_GOES_ON)
            was_stalled = bool(stalled)

    def _until_nothing_is_due(self, scheduler: DurableScheduler) -> None:
        while not self._stop.is_set() and not scheduler.is_done:
            self._stop.wait(0.05)


def _add_start_arguments(parser: CommandParser) -> None:
    """Add the options of how a node starts, and of the work beside running jobs."""
    parser.add_argument(
        "--adopt-environment",
        action="store_true",
        help="Let this database belong to SCHEDULER_ENVIRONMENT from now on, for a copy that is to run its jobs.",
    )
    parser.add_argument(
        "--apply", action="store_true", help="First create and change the jobs that code and files declare."
    )
    parser.add_argument(
        "--no-alerts",
        dest="alerts",
        action="store_false",
        help="Send no alerts from this node: another one does, or “manage.py send_alerts”.",
    )
    parser.add_argument("--once", action="store_true", help="Run what is due now, wait for it, and exit.")
    parser.add_argument(
        "--metrics-port",
        type=_address,
        metavar="[HOST:]PORT",
        help="Serve Prometheus metrics here. Default host: 127.0.0.1.",
    )
    parser.add_argument(
        "--wait",
        type=printing.seconds,
        default=30.0,
        metavar="SECONDS",
        help="How long to wait for a database that is starting up. Default: 30.",
    )


def _banner(node: Node) -> str:
    """Return what a person who started it wants to see first."""
    executors = ", ".join(f"{name} ({size})" for name, size in node.executors.items())
    tasks = len(registry.all())
    return (
        f"Node “{node.name}” of OpenLearn Scheduler {__version__} works. Executors: {executors}. "
        f"{tasks} task{'' if tasks == 1 else 's'}. Ctrl-C stops it."
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        raise ArgumentTypeError(f"“{text[:64]}” is not a port, or a host and a port such as 0.0.0.0:9100.")
    return host.strip("[]") or "127.0.0.1", int(port)
