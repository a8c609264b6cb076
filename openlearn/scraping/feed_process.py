"""
Read feeds in a process of their own, with a limit of time and memory.

The parsers of feeds meet some input that costs them hours, part of it in one regular expression, during which no other
thread of Python runs: a node that read such a feed in a thread could not even say that it is alive.

``python -m openlearn.scraping.feed_process`` reads one feed from its standard input and ends. Django is not loaded.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from openlearn.scraping import feeds
from openlearn.scraping.errors import MalformedFeed
from openlearn.scraping.feeds import Entry, Feed

_MEMORY_BYTES = 1024**3
_PATIENCE = 6
"""How many times longer than its processor time it may take: the machine may be busy with something else."""


def parse(*, content: bytes, url: str, content_type: str = "", seconds: int) -> Feed:
    """
    Do what ``feeds.parse`` does, for at most that many seconds of processor time.

    :raises NotAFeed, WrongContentType: as there
    :raises MalformedFeed: as there, or reading it costs too much
    """
    feeds.check(content=content, url=url, content_type=content_type)
    head = json.dumps({"url": url, "content_type": content_type, "seconds": seconds})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(  # noqa: S603 - ourselves, no shell
            [sys.executable, "-m", __name__],
            input=head.encode() + b"\n" + content,
            capture_output=True,
            env=environment,
            timeout=seconds * _PATIENCE,
            check=False,
            start_new_session=True,  # Ctrl-C in the terminal of a node is not meant for it
        )
    except subprocess.TimeoutExpired:
        raise MalformedFeed(url=url, reason=_too_costly(seconds)) from None
    if done.returncode < 0:
        raise MalformedFeed(url=url, reason=_too_costly(seconds))
    if done.returncode > 0:
        raise MalformedFeed(url=url, reason=_last_line(done.stderr))
    found = json.loads(done.stdout)
    if "reason" in found:
        raise MalformedFeed(url=url, reason=found["reason"])
    return Feed(
        entries=tuple(_entry(entry) for entry in found["entries"]), skipped=found["skipped"], problem=found["problem"]
    )


def _too_costly(seconds: int) -> str:
    return f"reading it takes more than {seconds} seconds of processor time, or very much memory"


def _last_line(stderr: bytes) -> str:
    return (stderr.decode(errors="replace").strip().splitlines() or ["its reader ended without a word"])[-1][:300]


def _entry(facts: dict[str, Any]) -> Entry:
    published_at = facts.pop("published_at")
    return Entry(
        **{**facts, "authors": tuple(facts["authors"])},
        published_at=None if published_at is None else datetime.fromisoformat(published_at),
    )


def _main() -> None:
    head = json.loads(sys.stdin.buffer.readline())
    # What the system does not know how to limit is left to the patience of whoever waits.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (head["seconds"], head["seconds"] + 1))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    try:
        feed = feeds.read(content=sys.stdin.buffer.read(), url=head["url"], content_type=head["content_type"])
    except MalformedFeed as error:
        json.dump({"reason": error.reason}, sys.stdout)
    except MemoryError:
        json.dump({"reason": _too_costly(head["seconds"])}, sys.stdout)
    else:
        json.dump(asdict(feed), sys.stdout, default=datetime.isoformat)


if __name__ == "__main__":
    _main()
