"""A TCP proxy before PostgreSQL that cuts, delays, refuses, falls silent, or swallows the answer to a COMMIT."""

from __future__ import annotations

import select
import socket
import threading
import time
from enum import StrEnum

_COMMIT = b"COMMIT\x00"
_CHUNK = 65536


class Mode(StrEnum):
    PASS = "pass"
    DELAY = "delay"
    """Every chunk is late by ``delay_seconds``."""

    SWALLOW = "swallow"
    """The next COMMIT reaches the server; its answer reaches nobody, and the connection is cut."""

    SILENT = "silent"
    """What is sent is acknowledged and goes nowhere."""

    REFUSE = "refuse"
    """Connections are cut, and new ones at once."""


class Proxy:
    """Listens on a port of 127.0.0.1; ``mode`` may change at any time."""

    def __init__(self, *, target_port: int, delay_seconds: float = 0.2) -> None:
        self._target_port = target_port
        self._delay_seconds = delay_seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self._open: set[socket.socket] = set()
        self._stopping = threading.Event()
        self._mode = Mode.PASS
        self.swallowed = 0
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._accepting.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.REFUSE:
            self.cut()

    def cut(self) -> None:
        """End every connection."""
        for line in list(self._open):
            _shut(line)

    def close(self) -> None:
        self._stopping.set()
        self._accepting.join(2)
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self._mode is Mode.REFUSE:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target_port), timeout=60)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self._open |= {client, server}
        try:
            self._pump(client, server)
        except OSError:
            pass
        finally:
            self._open -= {client, server}
            client.close()
            server.close()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        is_doomed = False
        while not self._stopping.is_set():
            readable, _, _ = select.select([client, server], [], [], 0.5)
            for source in readable:
                data = source.recv(_CHUNK)
                if not data:
                    return
                if self._mode is Mode.SILENT:
                    self._fall_silent()
                    return
                if self._mode is Mode.DELAY:
                    self._stopping.wait(self._delay_seconds)
                if source is client:
                    if self._mode is Mode.SWALLOW and data.endswith(_COMMIT):
                        is_doomed, self._mode = True, Mode.PASS
                    server.sendall(data)
                elif is_doomed:
                    self.swallowed += 1
                    return
                else:
                    client.sendall(data)

    def _fall_silent(self) -> None:
        """Hold the connection open, without a word, for as long as the mode lasts: what was sent is gone."""
        while self._mode is Mode.SILENT and not self._stopping.is_set():
            self._stopping.wait(0.05)


def _shut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def await_mode(proxy: Proxy, mode: Mode, *, seconds: float) -> bool:
    """Wait until the proxy is in a mode; false: it was not in time."""
    deadline = time.monotonic() + seconds
    while proxy.mode is not mode:
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True
