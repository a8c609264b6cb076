"""
Read feeds in processes of their own, with a limit of time and memory.

The parsers of feeds meet some input that costs them hours, part of it in one regular expression, during which no other
thread of Python runs: a node that read such a feed in a thread could not even say that it is alive.

A reader (``python -m openlearn.scraping.feed_process``) reads one feed after another and ends with its standard input.
Django is not loaded. Starting one takes as long as reading some dozens of feeds: up to two are kept for the next ones.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any, BinaryIO, cast

from openlearn.scraping import feeds
from openlearn.scraping.errors import MalformedFeed
from openlearn.scraping.feeds import Entry, Feed

_MEMORY_BYTES = 1024**3
_PATIENCE = 6
"""How many times longer than its processor time it may take: the machine may be busy with something else."""

_MOST_KEPT = 2
_MOST_FEEDS = 500
"""Then a reader has done its work: what its parsers leave behind in memory must not add up."""


def parse(*, content: bytes, url: str, content_type: str = "", seconds: int) -> Feed:
    """
    Do what ``feeds.parse`` does, for at most that many seconds of processor time.

    :raises NotAFeed, WrongContentType: as there
    :raises MalformedFeed: as there, or reading it costs too much
    """
    feeds.check(content=content, url=url, content_type=content_type)
    reader = _readers.borrow()
    answer = reader.read(content=content, url=url, content_type=content_type, seconds=seconds)
    if answer is None:
        raise MalformedFeed(url=url, reason=reader.epitaph(seconds))
    _readers.give_back(reader)
    if "reason" in answer:
        raise MalformedFeed(url=url, reason=answer["reason"])
    return Feed(
        entries=tuple(_entry(entry) for entry in answer["entries"]),
        skipped=answer["skipped"],
        problem=answer["problem"],
    )


def _entry(facts: dict[str, Any]) -> Entry:
    published_at = facts.pop("published_at")
    return Entry(
        **{**facts, "authors": tuple(facts["authors"])},
        published_at=None if published_at is None else datetime.fromisoformat(published_at),
    )


class Reader:
    """A process that reads feeds: a line that says what comes, then the feed; it answers with one line."""

    def __init__(self) -> None:
        self.feeds_read = 0
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(  # noqa: S603 - ourselves, no shell
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal of a node is not meant for it
        )
        self._requests = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def read(self, *, content: bytes, url: str, content_type: str, seconds: int) -> dict[str, Any] | None:
        """Return what it answers; ``None``: it has ended, by itself or because it took too long."""
        head = {"url": url, "content_type": content_type, "seconds": seconds, "bytes": len(content)}
        too_long = threading.Timer(seconds * _PATIENCE, self._process.kill)
        too_long.daemon = True
        too_long.start()
        try:
            self._requests.write(json.dumps(head).encode() + b"\n" + content)
            self._requests.flush()
            line = self._answers.readline()
        except OSError:
            line = b""
        finally:
            too_long.cancel()
        if not line.endswith(b"\n"):
            return None
        self.feeds_read += 1
        answer: dict[str, Any] = json.loads(line)
        return answer

    def epitaph(self, seconds: int) -> str:
        """Say why there was no answer."""
        code = self.close()
        if code < 0:
            return f"reading it takes more than {seconds} seconds of processor time, or very much memory"
        return f"its reader ended with the exit code {code}"

    def let_go(self) -> None:
        """It is the parent's of this process: to wait for it is the parent's too."""
        self._close_pipes()
        self._process.returncode = 0

    def close(self) -> int:
        """Let it end; return its exit code, negative if a signal ended it."""
        self._close_pipes()
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _close_pipes(self) -> None:
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()


class Readers:
    """Those that wait for the next feed."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._idle: list[Reader] = []

    def borrow(self) -> Reader:
        while True:
            with self._one_at_a_time:
                if not self._idle:
                    break
                reader = self._idle.pop()
            if reader.is_alive:
                return reader
            reader.close()
        return Reader()

    def give_back(self, reader: Reader) -> None:
        with self._one_at_a_time:
            is_kept = len(self._idle) < _MOST_KEPT and reader.feeds_read < _MOST_FEEDS
            if is_kept:
                self._idle.append(reader)
        if not is_kept:
            reader.close()

    def close(self) -> None:
        with self._one_at_a_time:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()

    def let_go(self) -> None:
        """In a fork: two who ask one reader would get each other's answers."""
        self._one_at_a_time = threading.Lock()
        inherited, self._idle = self._idle, []
        for reader in inherited:
            reader.let_go()


_readers = Readers()
atexit.register(lambda: _readers.close())
os.register_at_fork(after_in_child=lambda: _readers.let_go())


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    # What the system does not know how to limit is left to the patience of whoever waits.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    while line := requests.readline():
        head = json.loads(line)
        answer = _answer(requests.read(head.pop("bytes")), **head)
        answers.write(json.dumps(answer, default=datetime.isoformat).encode() + b"\n")
        answers.flush()


def _answer(content: bytes, *, url: str, content_type: str, seconds: int) -> dict[str, Any]:
    with suppress(ValueError, OSError):
        _allow(seconds)
    try:
        return asdict(feeds.read(content=content, url=url, content_type=content_type))
    except MalformedFeed as error:
        return {"reason": error.reason}
    except MemoryError:
        return {"reason": "reading it takes very much memory"}
    except Exception as error:  # noqa: BLE001 - of one feed; the parsers are not ours, and the next feed is another
        return {"reason": f"{type(error).__name__}: {error}"[:300]}


def _allow(seconds: int) -> None:
    """Let the system end this process when it has used so much more of a processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


if __name__ == "__main__":
    own_answers, sys.stdout = sys.stdout.buffer, sys.stderr  # whatever a parser prints is no answer
    _serve(sys.stdin.buffer, own_answers)
