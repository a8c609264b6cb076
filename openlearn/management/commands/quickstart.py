from __future__ import annotations

import importlib.util
import logging
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connections
from django.db.utils import Error
from django.utils import timezone

from openlearn.db import embedded
from openlearn.quickstart import broker, processes, site, stage
from openlearn.quickstart import children as starting
from openlearn.quickstart.progress import Progress
from scheduler.errors import SchedulerError
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import installation

INTERRUPTED = 130
LOOK_EVERY_SECONDS = 0.25
WEB_START_TIMEOUT_SECONDS = 60
BROKER_START_TIMEOUT_SECONDS = 20

_INSTALL_CELERY = "Install what it needs with “pip install -r requirements-celery.txt”."


class Command(SafeCommand):
    help = (
        "Start everything here: PostgreSQL, the web, one node, and jobs that scrape a small sample site. Ctrl-C stops "
        "it all; starting it again finds the jobs where they were."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port",
            type=printing.whole(least=1, most=65_535),
            metavar="N",
            help=f"Port of the web; {site.DEFAULT_PORT}, or a free one if taken.",
        )
        parser.add_argument("--no-web", action="store_true", help="Serve only the sample site, no admin.")
        parser.add_argument(
            "--celery",
            action="store_true",
            help="Scrape on a Celery worker, with Valkey as the broker, beside the node.",
        )
        parser.add_argument(
            "--until-runs",
            type=printing.whole(least=1),
            metavar="N",
            help="Stop once N scheduled runs succeeded: exit code 0, else 1.",
        )
        parser.add_argument(
            "--timeout",
            type=printing.seconds,
            default=120.0,
            metavar="SECONDS",
            help="How long --until-runs waits. Default: 120.",
        )
        parser.add_argument(
            "--external-database",
            action="store_true",
            help=f"Create the user “{stage.ADMIN}” and the sample jobs in the database of DATABASE_URL or POSTGRES_*.",
        )

    def handle(
        self,
        *,
        port: int | None,
        no_web: bool,
        until_runs: int | None,
        timeout: float,
        external_database: bool,
        celery: bool,
        **options: Any,
    ) -> None:
        self._check_database(may_be_external=external_database)
        self.signals = processes.StopSignals()
        self.signals.catch()
        # What it tells is told here in other words.
        logging.getLogger("openlearn.database").setLevel(logging.WARNING)
        self._take_folder()
        try:
            listener = site.take(port)
        except site.PortRefused as error:
            raise CommandError(str(error)) from None
        if port is None and site.port_of(listener) != site.DEFAULT_PORT:
            self._print(f"Port {site.DEFAULT_PORT} is taken by another program: using {site.port_of(listener)}.")
        processes.note_address(settings.DATA_DIR, _address(site.port_of(listener)))
        self._prepare_database()
        progress = Progress(since=timezone.now(), only_remote=celery)
        try:
            # Left in reverse: the children end, then the sample site, then the database.
            with ExitStack() as stack:
                stack.enter_context(listener)
                stack.callback(self._stop_database)
                children = self._start(stack, listener, with_web=not no_web, with_celery=celery)
                self._watch(children, progress, until_runs=until_runs, deadline=time.monotonic() + timeout)
        except Error as error:
            raise CommandError(f"The database went away: {' '.join(str(error).split())}") from None
        except SchedulerError as error:
            raise CommandError(str(error)) from error
        self._conclude(progress, until_runs=until_runs, timeout=timeout)

    def _check_database(self, *, may_be_external: bool) -> None:
        """Refuse to fill a database of production whose address is still set in the shell."""
        if self._is_embedded or may_be_external:
            return
        database = settings.DATABASES["default"]
        place = f"“{database['NAME']}” on {database['HOST']}" if database["HOST"] else f"“{database['NAME']}”"
        raise CommandError(
            f"DATABASE_URL or POSTGRES_* names the database {place}. This command would create the user "
            f"“{stage.ADMIN}” and sample jobs in it. Unset these variables to use an embedded PostgreSQL, or add "
            "--external-database."
        )

    def _take_folder(self) -> None:
        try:
            is_ours = processes.lock_folder(settings.DATA_DIR)
        except OSError as error:
            raise CommandError(
                f"{settings.DATA_DIR} cannot be written ({error.strerror}). Set OPENLEARN_DATA_DIR to another folder."
            ) from None
        if not is_ours:
            address = processes.noted_address(settings.DATA_DIR)
            raise CommandError(
                f"Another quickstart runs with {settings.DATA_DIR}{f', at {address}' if address else ''}. "
                "Stop it, or set OPENLEARN_DATA_DIR to another folder."
            )

    def _prepare_database(self) -> None:
        self._print("Starting PostgreSQL …" if self._is_embedded else "Connecting to PostgreSQL …")
        health = installation.check()
        if health.missing_migrations:
            self._print("Creating the tables …")
        if not health.error or health.missing_migrations:
            health = installation.install()
        if health.error:
            raise CommandError(health.error)

    def _start(
        self, stack: ExitStack, listener: socket.socket, *, with_web: bool, with_celery: bool
    ) -> list[processes.Child]:
        port = site.port_of(listener)
        address = _address(port)
        password = stage.create_admin()
        if password:
            # At once: whatever fails later, it cannot be told again.
            self._print(f"\n  Log in as {stage.ADMIN} with the password {password} (shown only this once).\n\n")
        children: list[processes.Child] = []
        if with_celery and not settings.CELERY_BROKER_URL:
            self._start_broker(stack)
        stack.callback(self._stop_children, children)
        self._print("Preparing sources and jobs …")
        stage.seed(base_url=address, executor=starting.EXECUTOR if with_celery else "default")
        if self.signals.received:
            return children
        site_url = self._site_url(address)
        if with_web:
            self._print("Starting the web …")
            children.append(starting.web(listener=listener, site_url=site_url))
            listener.close()
        else:
            listener.close()
            sample = site.SampleSite(port=port)
            stack.callback(sample.stop)
            sample.start()
        if not self._wait_for_web(f"{address}/robots.txt", children):
            return children
        if with_celery:
            self._print("Starting a Celery worker …")
            children.append(starting.worker(port=port))
        self._print("Starting a node …")
        site_url = site_url if with_web else self._site_url("")
        children.append(starting.node(port=port, site_url=site_url))
        self._introduce(address, with_web=with_web)
        return children

    def _start_broker(self, stack: ExitStack) -> None:
        """Start a Valkey that ends after the children. They and this process find its address in the environment."""
        if importlib.util.find_spec("celery") is None:
            raise CommandError(f"Celery is not installed. {_INSTALL_CELERY}")
        self._print("Starting Valkey …")
        port = broker.free_port()
        try:
            valkey = starting.valkey(port=port)
        except broker.NoServer:
            raise CommandError(f"There is no Valkey on this machine. {_INSTALL_CELERY}") from None
        stack.callback(processes.stop, [valkey])
        deadline = time.monotonic() + BROKER_START_TIMEOUT_SECONDS
        while not broker.answers(port=port) and not self.signals.received:
            self._check_children([valkey])
            if time.monotonic() > deadline:
                raise CommandError(f"Valkey does not answer. See {starting.log_of('broker')}.")
            threading.Event().wait(0.05)
        os.environ["CELERY_BROKER_URL"] = broker.url(port=port)

    def _site_url(self, address: str) -> str:
        """Return where links in alerts lead: to the web that is started here, unless a setting says otherwise."""
        return str(settings.SCHEDULER.get("SITE_URL") or address)

    def _wait_for_web(self, url: str, children: list[processes.Child]) -> bool:
        """Return whether it answers. ``False``: this command is to stop."""
        deadline = time.monotonic() + WEB_START_TIMEOUT_SECONDS
        while not self.signals.received:
            self._check_children(children)
            try:
                with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own loopback address
                    return True
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    raise CommandError(f"{url} does not answer ({error}). See {starting.log_of('web')}.") from None
            threading.Event().wait(0.1)
        return False

    def _introduce(self, address: str, *, with_web: bool) -> None:
        self._print("")
        if with_web:
            self._print(f"  Admin        {address}/admin/")
            self._print(
                f"               user {stage.ADMIN}; password forgotten: manage.py changepassword {stage.ADMIN}"
            )
            self._print(
                f"  An incident  {address}/admin/scheduler/job/dashboard/ (soon: a sample job fails on purpose)"
            )
        self._print(f"  Sample site  {address}/sample/")
        self._print(f"  Logs         {starting.log_of('*')}")
        self._print("  Next         README.md, “Write a task”: a job of your own\n\n")
        self._print("Runs as they finish; Ctrl-C stops everything.\n\n")

    def _watch(
        self, children: list[processes.Child], progress: Progress, *, until_runs: int | None, deadline: float
    ) -> None:
        pause = threading.Event()
        while not self.signals.received:
            for line in progress.news():
                self._print(line)
            if until_runs is not None and (progress.succeeded >= until_runs or time.monotonic() > deadline):
                return
            self._check_children(children)
            pause.wait(LOOK_EVERY_SECONDS)

    def _conclude(self, progress: Progress, *, until_runs: int | None, timeout: float) -> None:
        if until_runs is None:
            return
        if progress.succeeded >= until_runs:
            runs = "runs" if progress.succeeded != 1 else "run"
            self._print(f"{progress.succeeded} scheduled {runs} succeeded.")
            return
        count = f"{progress.succeeded} of {until_runs} scheduled runs succeeded"
        if self.signals.received:
            raise CommandError(f"Interrupted: {count}.", returncode=INTERRUPTED)
        problem = f" The last problem: {progress.last_problem}" if progress.last_problem else ""
        raise CommandError(f"Only {count} within {timeout:.0f} seconds.{problem} See {starting.log_of('node')}.")

    def _check_children(self, children: list[processes.Child]) -> None:
        for child in children:
            if child.has_ended:
                raise CommandError(f"The {child.name} ended by itself. It said last:\n{child.last_lines()}")

    def _stop_children(self, children: list[processes.Child]) -> None:
        if not children:
            return
        self._print("Stopping …")
        for name in processes.stop(children):
            self._print(f"The {name} did not stop in time and was killed.")

    def _stop_database(self) -> None:
        connections.close_all()
        if self._is_embedded and not embedded.server(settings.DATA_DIR).stop():
            self._print("PostgreSQL goes on: another process of this checkout uses it.")

    @property
    def _is_embedded(self) -> bool:
        return "EMBEDDED" in settings.DATABASES["default"]

    def _print(self, text: str) -> None:
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except BrokenPipeError:
            # The reader has seen enough, as “| head” does: stop in order, and write the rest nowhere.
            printing.discard_output()
            self.signals.received = True


def _address(port: int) -> str:
    return f"http://{site.HOST}:{port}"
