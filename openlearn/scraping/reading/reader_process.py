"""
Read feeds and pages in processes of their own, with a limit of time and memory for each.

Some input costs parsers hours, part of it in one regular expression, during which other threads of Python do not run. A
node that read such a feed in a thread could not even report that it is alive.

A reader (``python -m openlearn.scraping.reading.reader_process``) reads one document after another and ends with its
standard input. Django's settings are not loaded. Starting one takes as long as reading some dozens of feeds: up to two
are kept for the next ones.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any, BinaryIO, cast

from openlearn.scraping import sentences
from openlearn.scraping.errors import MalformedFeed, NotForIndexing, UnreadablePage
from openlearn.scraping.reading import articles, feeds
from openlearn.scraping.reading.articles import Extracted
from openlearn.scraping.reading.feeds import Entry, Feed, Pace
from scheduler.messages import phrase

_MEMORY_BYTES = 1024**3
_PATIENCE = 6
"""Limit of its elapsed time as a multiple of its processor time, because the machine may be busy."""

_MOST_KEPT = 2
_MOST_READ = 500
"""Then a reader has done its work: what its parsers leave behind in memory must not add up."""


def parse_feed(
    *, content: bytes, url: str, content_type: str = "", start: int = 0, most: int = feeds.ENTRIES, seconds: int
) -> Feed:
    """
    Do what ``feeds.parse`` does, for at most that many seconds of processor time.

    :raises NotAFeed, AnotherKind, WrongContentType: as there
    :raises MalformedFeed: as there, or reading it costs too much
    """
    feeds.check(content=content, url=url, content_type=content_type)
    answer = _ask("feed", content, seconds, url=url, content_type=content_type, start=start, most=most)
    if "reason" in answer:
        raise MalformedFeed(url=url, reason=sentences.from_data(answer["reason"]))
    facts = answer["found"]
    return Feed(
        **{
            **facts,
            "entries": tuple(_entry(entry) for entry in facts["entries"]),
            "problem": sentences.from_data(facts["problem"]),
            "notes": tuple(sentences.from_data(note) for note in facts["notes"]),
            "pace": Pace(**{name: _tuple(value) for name, value in facts["pace"].items()}),
        }
    )


def extract_page(*, content: bytes, url: str, content_type: str = "", seconds: int) -> Extracted:
    """
    Do what ``articles.extract`` does, for at most that many seconds of processor time.

    :raises NotForIndexing: as there
    :raises UnreadablePage: reading it costs too much
    """
    answer = _ask("page", content, seconds, url=url, content_type=content_type)
    if answer.get("code") == NotForIndexing.code:
        raise NotForIndexing(url=url, reason=sentences.from_data(answer["reason"]))
    if "reason" in answer:
        raise UnreadablePage(url=url, reason=sentences.from_data(answer["reason"]))
    facts = answer["found"]
    return Extracted(**{**facts, "authors": tuple(facts["authors"]), "published_at": _instant(facts["published_at"])})


def _ask(operation: str, content: bytes, seconds: int, **values: Any) -> dict[str, Any]:
    reader = _readers.borrow()
    answer = reader.read(content, seconds=seconds, operation=operation, **values)
    if answer is None:
        return {"reason": sentences.as_data(reader.cause_of_death(seconds))}
    _readers.give_back(reader)
    return answer


def _entry(facts: dict[str, Any]) -> Entry:
    return Entry(**{**facts, "authors": tuple(facts["authors"]), "published_at": _instant(facts["published_at"])})


def _instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Reader:
    """
    A process that reads documents.

    It receives a line that describes the content and the content, and answers with a line.
    """

    def __init__(self) -> None:
        self.documents_read = 0
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

    def read(self, content: bytes, *, seconds: int, **values: Any) -> dict[str, Any] | None:
        """Return its answer, or ``None`` if it has ended, by itself or because it took too long."""
        head = {**values, "seconds": seconds, "bytes": len(content)}
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
        self.documents_read += 1
        answer: dict[str, Any] = json.loads(line)
        return answer

    def cause_of_death(self, seconds: int) -> str:
        """Return the reason why it did not answer."""
        code = self.close()
        if code < 0:
            return phrase(
                "reading it takes more than {seconds} seconds of processor time, or very much memory", seconds=seconds
            )
        return phrase("its reader ended with the exit code {code}", code=code)

    def let_go(self) -> None:
        """It is the parent's of this process: to wait for it is the parent's too."""
        self._close_pipes()
        self._process.returncode = 0

    def close(self) -> int:
        """Let it end and return its exit code, negative if a signal ended it."""
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
            is_kept = len(self._idle) < _MOST_KEPT and reader.documents_read < _MOST_READ
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


def _answer(content: bytes, *, operation: str, seconds: int, **values: Any) -> dict[str, Any]:
    with suppress(ValueError, OSError):
        _allow(seconds)
    try:
        return {"found": _OPERATIONS[operation](content, **values)}
    except (MalformedFeed, NotForIndexing) as error:
        return {"reason": sentences.as_data(error.reason), "code": error.code}
    except MemoryError:
        return {"reason": sentences.as_data(phrase("reading it takes very much memory"))}
    except Exception as error:  # noqa: BLE001 - of one document; the parsers are not ours, and the next one is another
        return {"reason": sentences.as_data(f"{type(error).__name__}: {error}"[:300])}


def _read_feed(content: bytes, *, url: str, content_type: str, start: int, most: int) -> dict[str, Any]:
    feed = feeds.read(content=content, url=url, content_type=content_type, start=start, most=most)
    notes = [sentences.as_data(note) for note in feed.notes]
    return asdict(feed) | {"problem": sentences.as_data(feed.problem) if feed.problem else {}, "notes": notes}


def _read_page(content: bytes, *, url: str, content_type: str) -> dict[str, Any]:
    return asdict(articles.extract(content=content, url=url, content_type=content_type))


_OPERATIONS: dict[str, Callable[..., dict[str, Any]]] = {"feed": _read_feed, "page": _read_page}


def _allow(seconds: int) -> None:
    """Let the system end this process when it has used so much more of a processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


if __name__ == "__main__":
    own_answers, sys.stdout = sys.stdout.buffer, sys.stderr  # whatever a parser prints is no answer
    _serve(sys.stdin.buffer, own_answers)
