"""Nodes in the process of a test, which does their passes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from scheduler import conf
from scheduler.engine.node import Node
from scheduler.execution.threads import ThreadPool
from scheduler.models import Run
from tests.waiting import PATIENCE_SECONDS


def make_node(*, threads: int = 2, **changes: Any) -> Node:
    """Start a node with one pool of threads; the caller stops it."""

    def pool(name: str, report: Any, publish: Any, identity: Any) -> ThreadPool:
        return ThreadPool(name=name, size=threads, report=report, publish=publish, identity=identity, max_stuck=2)

    node = Node(settings=dataclasses.replace(conf.get(), **changes), executors={"default": pool})
    node.start()
    return node


def work(*nodes: Node, until: Callable[[], bool], timeout: float = PATIENCE_SECONDS) -> None:
    """Do pass after pass of each node in turn until the condition holds."""
    deadline = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < deadline, list(Run.objects.values())
        for node in nodes:
            node.wakeups.sleep(timeout=min(node.run_once(), 0.02))
