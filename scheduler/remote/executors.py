"""The kinds of remote executors, and the doorbells that their brokers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import NamedTuple, Protocol

from django.utils.module_loading import import_string

from scheduler.core.queues import executor_messages, tracks
from scheduler.core.states import NodeKind
from scheduler.errors import UnusableExecutor


class Ring(NamedTuple):
    """A message to a broker. It is all that a broker learns of a run."""

    run: int
    attempt: int
    ring: int
    """Counts the messages about this attempt, the first one being 1."""


class Doorbell(Protocol):
    """Sends rings to the broker of one remote executor. It is made with the target: ``CeleryBell("scrape")``."""

    def check(self) -> None:
        """
        Check without the network whether the target can be rung from this process.

        :raises UnusableExecutor: naming the value and the cure
        """

    def ring(self, rings: Sequence[Ring]) -> None:
        """
        Send all of them within a few seconds, whatever the broker does.

        :raises BrokerUnavailable: some of them may have been sent
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of remote executor."""

    adapter: str
    """The dotted path of its doorbell."""

    requires: tuple[str, ...]
    """Modules, any of which its adapter needs."""

    extra: str
    """The optional extra of the distribution that installs one of them."""

    has_one_broker: bool
    """Whether all of its targets are queues of one broker. Otherwise each target has a broker of its own."""


KINDS = {
    NodeKind.CELERY.value: Kind(
        adapter="scheduler.contrib.celery.bell.CeleryBell", requires=("celery",), extra="celery", has_one_broker=True
    ),
    NodeKind.TASKS.value: Kind(
        adapter="scheduler.contrib.django_tasks.bell.TasksBell",
        requires=("django.tasks", "django_tasks"),
        extra="tasks",
        has_one_broker=False,
    ),
}


class RemoteExecutor(NamedTuple):
    """``celery:scrape``: the queue ``scrape`` of Celery. ``tasks:other``: the backend ``other`` in ``TASKS``."""

    kind: str
    target: str

    def __str__(self) -> str:
        return tracks.remote(self.kind, self.target)

    @property
    def broker(self) -> str:
        """The name of its broker: ``celery``, or ``tasks:other``."""
        known = KINDS.get(self.kind)
        return self.kind if known is not None and known.has_one_broker else str(self)


def parse(executor: str) -> RemoteExecutor | None:
    """Return a remote executor with its parts. ``None``: it is an executor of nodes. A queue after an @ is left out."""
    kind, separator, target = tracks.executor_of(executor).partition(tracks.REMOTE)
    return RemoteExecutor(kind=kind, target=target) if separator else None


def check(executor: str) -> None:
    """
    Reject a remote executor that runs could not be sent to from this process. Executors of nodes pass.

    :raises UnusableExecutor: naming the value and the cure
    """
    remote = parse(executor)
    if remote is None:
        return
    names = ", ".join(f"{kind}{tracks.REMOTE}…" for kind in KINDS)
    if remote.kind not in KINDS:
        raise UnusableExecutor(executor_messages.UNKNOWN_KIND_OF_EXECUTOR(name=executor, names=names))
    if tracks.SEPARATOR in executor or not _is_a_target(remote.target):
        raise UnusableExecutor(executor_messages.UNUSABLE_TARGET(name=executor))
    doorbell(remote).check()


def broker_of(executor: str) -> str | None:
    """Return the broker of a remote executor of a known kind, which a track may name. ``None``: it has none."""
    remote = parse(executor)
    return remote.broker if remote is not None and remote.kind in KINDS else None


def check_broker(broker: str) -> None:
    """
    Reject a broker that cannot be rung from this process. The network is not used.

    :raises UnusableExecutor: naming the value and the cure
    """
    if broker in KINDS:
        _check_installed(broker, KINDS[broker])
    else:
        check(broker)


def doorbell(remote: RemoteExecutor) -> Doorbell:
    """
    Return the doorbell of a remote executor, the same one for each call.

    :raises UnusableExecutor: its kind is unknown, or what it needs is not installed
    """
    kind = KINDS.get(remote.kind)
    if kind is None:
        raise UnusableExecutor(executor_messages.UNKNOWN_KIND_OF_EXECUTOR(name=str(remote), names=", ".join(KINDS)))
    _check_installed(str(remote), kind)
    return _made(kind.adapter, remote.target)


def _check_installed(name: str, kind: Kind) -> None:
    if not any(_is_installed(module) for module in kind.requires):
        raise UnusableExecutor(executor_messages.EXECUTOR_NOT_INSTALLED(name=name, extra=kind.extra))


@lru_cache(maxsize=256)
def _made(adapter: str, target: str) -> Doorbell:
    made: Doorbell = import_string(adapter)(target)
    return made


def _is_a_target(target: str) -> bool:
    return bool(target) and target.isprintable() and not any(letter.isspace() for letter in target)


@lru_cache(maxsize=16)
def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
