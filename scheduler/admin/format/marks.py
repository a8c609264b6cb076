"""States as word, shape and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from scheduler.logbook import visible

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A state as word, shape and colour: the three always come together."""

    word: StrPromise | str
    shape: str
    tone: str


class Marks(dict[str, Mark]):
    """The marks of states. A state that only a newer release knows is shown as it is stored."""

    def __missing__(self, state: str) -> Mark:
        return Mark(word=" ".join(visible(state).split())[:60], shape="?", tone="mute")


RUN_MARKS = Marks(
    {
        "queued": Mark(word=gettext_lazy("queued"), shape="○", tone="mute"),
        "running": Mark(word=gettext_lazy("running"), shape="◐", tone="info"),
        "succeeded": Mark(word=gettext_lazy("succeeded"), shape="●", tone="ok"),
        "failed": Mark(word=gettext_lazy("failed"), shape="✕", tone="bad"),
        "timed_out": Mark(word=gettext_lazy("timed out"), shape="✕", tone="bad"),
        "cancelled": Mark(word=gettext_lazy("cancelled"), shape="■", tone="mute"),
        "interrupted": Mark(word=gettext_lazy("interrupted"), shape="!", tone="bad"),
        "missed": Mark(word=gettext_lazy("missed"), shape="–", tone="warn"),
        "skipped": Mark(word=gettext_lazy("skipped"), shape="»", tone="warn"),
    }
)
JOB_MARKS = Marks(
    {
        "broken": Mark(word=gettext_lazy("cannot run"), shape="⊘", tone="bad"),
        "stopped": Mark(word=gettext_lazy("paused after failing"), shape="✕", tone="bad"),
        "failing": Mark(word=gettext_lazy("failing"), shape="✕", tone="bad"),
        "overdue": Mark(word=gettext_lazy("overdue"), shape="!", tone="warn"),
        "stalled": Mark(word=gettext_lazy("not running"), shape="»", tone="warn"),
        "ok": Mark(word=gettext_lazy("OK"), shape="●", tone="ok"),
        "paused": Mark(word=gettext_lazy("paused"), shape="❚❚", tone="mute"),
        "finished": Mark(word=gettext_lazy("finished"), shape="✓", tone="mute"),
        "unknown": Mark(word=gettext_lazy("in a state of a newer release"), shape="?", tone="warn"),
    }
)
NODE_MARKS = Marks(
    {
        "running": Mark(word=gettext_lazy("alive"), shape="●", tone="ok"),
        "silent": Mark(word=gettext_lazy("silent"), shape="!", tone="bad"),
        "drained": Mark(word=gettext_lazy("drained"), shape="◌", tone="warn"),
        "stopping": Mark(word=gettext_lazy("stopping"), shape="◐", tone="warn"),
        "stopped": Mark(word=gettext_lazy("stopped"), shape="■", tone="mute"),
        "lost": Mark(word=gettext_lazy("lost"), shape="✕", tone="bad"),
    }
)
NODE_KINDS = {
    "node": gettext_lazy("node"),
    "celery": gettext_lazy("Celery worker"),
    "tasks": gettext_lazy("worker of Django tasks"),
}


def badge(mark: Mark) -> SafeString:
    return format_html(
        '<span class="ols-state ols-{}"><span aria-hidden="true">{}</span> {}</span>', mark.tone, mark.shape, mark.word
    )
