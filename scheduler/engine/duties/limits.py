"""Let runs go on that wait for a limit, as soon as it has room."""

from __future__ import annotations

from scheduler.engine.duties.announce import Announce
from scheduler.engine.duties.look_ahead import LookAhead
from scheduler.engine.duties.take import Take
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.store.claiming import limits
from scheduler.untouched import time

_WAITING_SECONDS = 1.0
"""Between two decisions while runs wait: places are freed by other nodes as well."""

_QUIET_SECONDS = 15.0
"""Otherwise: a node that died may have left runs waiting."""

_BUSY_SECONDS = 0.1
"""Another node is deciding."""

_FORGET_SECONDS = 60.0


class Grant(Duty):
    """Grant starts to waiting runs. Asked for when a run under a limit ends here, or has to wait."""

    merge_seconds = 0.02

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._after = ""
        self._forgot_at = time.monotonic()

    @property
    def every_seconds(self) -> float:
        return _QUIET_SECONDS

    def run(self) -> float | None:
        granted = limits.grant_waiting(self.work.connection, after=self._after)
        if granted is None:
            return _BUSY_SECONDS
        self._after = granted.after
        if granted.runs:
            self.agenda.duty(Take).look_again()
            self.agenda.ask(LookAhead)
            self.agenda.duty(Announce).soon()
        self._forget()
        if granted.has_more:
            return 0.0
        return _WAITING_SECONDS if granted.is_waiting else None

    def _forget(self) -> None:
        if time.monotonic() - self._forgot_at >= _FORGET_SECONDS:
            self._forgot_at = time.monotonic()
            limits.forget(self.work.connection)
