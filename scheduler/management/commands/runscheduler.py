from __future__ import annotations

import _thread
import atexit
import dataclasses
import gc
import logging
import os
import re
import signal
import threading
import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.utils import Error

from scheduler import __version__, conf
from scheduler.core.queues import tracks
from scheduler.core.tasks.registry import registry
from scheduler.engine.node import Node
from scheduler.engine.reporter import Reporter
from scheduler.engine.scheduler import DurableScheduler
from scheduler.errors import DatabaseUnavailable, InvalidQueue, Misconfigured, WrongEnvironment
from scheduler.loops import spawn
from scheduler.management import declared, log_output, printing
from scheduler.services import installation
from scheduler.services.alerts.sender import Sender
from scheduler.services.database_errors import is_transient
from scheduler.store.liveness.installation import adopt
from scheduler.telemetry import events
from scheduler.telemetry.exporter import MetricsServer

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 5.0

_EXIT_SECONDS = 1.0
"""The time that a stopped process waits for threads that tasks left behind."""
_MOST_AT_ONCE = 10_000
"""Threads or processes: more are a slip of the finger, and would take the machine down."""


class Command(BaseCommand):
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

    def run_from_argv(self, argv: list[str]) -> None:
        """Run from the command line. When the node has stopped, its process ends, whatever its tasks left behind."""
        super().run_from_argv(argv)
        is_ending = threading.Event()
        atexit.register(is_ending.set)  # called once Python waits for no thread any more
        spawn(_leave, args=(is_ending,), name="scheduler-exit")

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
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._patience = wait
        self._told = False
        self._catch_signals()
        settings = self._settings(options)
        if not settings.enabled:
            raise CommandError("ENABLE_SCHEDULER is off here: no node is started. Set ENABLE_SCHEDULER=1 to allow it.")
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
        scheduler.node.hurry = self._hurry
        if is_plain or self.stdout.isatty():
            self.stdout.write(_banner(scheduler.node))
        told = self._tell(scheduler.node, settings, server, Sender() if alerts and not once else None)
        if once:
            self._until_nothing_is_due(scheduler)
        else:
            # What start-up made stays: to look through it again and again would stop all threads for up to 0.1 s.
            gc.freeze()
            self._watch(scheduler)
        for part in told:
            part.stop()
        scheduler.shutdown()

    def _apply(self) -> None:
        """Synchronise declared jobs. A refused declaration is reported. The node starts nevertheless."""
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
            scheduler = DurableScheduler(settings=settings)
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
        try:
            return MetricsServer(host=address[0], port=address[1])
        except OSError as error:
            raise CommandError(f"Metrics cannot be served on {address[0]}:{address[1]}: {error.strerror}.") from None

    def _tell(
        self, node: Node, settings: conf.SchedulerSettings, server: MetricsServer | None, sender: Sender | None
    ) -> list[Reporter | MetricsServer | Sender]:
        told: list[Reporter | MetricsServer | Sender] = [Reporter(node=node, settings=settings)]
        told += [part for part in (server, sender) if part is not None]
        for part in told:
            part.start()
        return told

    def _settings(self, options: dict[str, Any]) -> conf.SchedulerSettings:
        """Let the command line overrule the settings."""
        given = {
            "threads": options["threads"],
            "processes": options["processes"],
            "grace_seconds": options["grace"],
            "node_name": options["name"],
        }
        try:
            if options["queues"] is not None:
                given["queues"] = tuple(tracks.checked_name(name.strip()) for name in options["queues"].split(","))
            return conf.checked(
                dataclasses.replace(conf.get(), **{name: value for name, value in given.items() if value is not None})
            )
        except (Misconfigured, InvalidQueue) as error:
            raise CommandError(str(error)) from None

    def _catch_signals(self) -> None:
        """First of all, so that a signal during start-up stops the node as well."""

        # A signal that a task makes up is none: it concerns that task, not the node.
        _thread.interrupt_main = _refuse_to_interrupt

        def stop(_number: int, _frame: object) -> None:
            if self._stop.is_set():
                self._hurry.set()
            self._stop.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Under nohup, the end of a terminal is not meant for this process.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, stop)

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
        """Let a moment pass, and say once what is waited for."""
        if not self._told:
            printing.note(self.stderr, f"Waiting up to {self._patience:g} s for the database: {why}")
            self._told = True
        self._stop.wait(min(1.0, max(0.0, deadline - time.monotonic())))

    def _watch(self, scheduler: DurableScheduler) -> None:
        """Say when the loop makes no progress, and when it does again, until the node is to stop."""
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


def _leave(is_ending: threading.Event) -> None:
    """
    End the process if it does not end by itself: Python waits for every thread pool that a task has left open.

    All is recorded and given back by now, and an orchestrator would only lose its patience.
    """
    if is_ending.wait(_EXIT_SECONDS):
        return
    left = sorted({thread.name for thread in threading.enumerate()} - {"MainThread", "scheduler-exit"})
    logger.warning(events.NODE_LEFT_THREADS_BEHIND, extra={"threads": left})
    atexit._run_exitfuncs()
    os._exit(0)


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


def _refuse_to_interrupt(signum: int = signal.SIGINT, /) -> None:
    """Stand in for ``_thread.interrupt_main`` in a node."""
    raise RuntimeError(f"A task cannot stop its node: interrupt_main({signum}) was refused.")
