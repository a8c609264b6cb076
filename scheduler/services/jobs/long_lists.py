"""Pages of a long list of jobs, the worst condition first, without counting and sorting all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from scheduler.models import Job
from scheduler.services.jobs import conditions
from scheduler.services.jobs.conditions import Criteria

LONG = 1000
"""More jobs than this are read one condition after the other. Fewer are sorted together."""

MOST_COUNTED = 10_000
"""Matches of a filter that are counted. A longer list ends there."""

_SEVERITY = "severity"


@dataclass(frozen=True, kw_only=True)
class LongList:
    """The jobs of an ordered query, for a paginator: it takes slices, and the number of jobs."""

    jobs: QuerySet[Job]
    """With their conditions, and the order within a condition."""

    by: Criteria
    branches: Sequence[str]
    """The conditions in their order. Empty: the order is another one."""

    total: int | None
    """The number of jobs. ``None``: they are counted up to a limit."""

    counts: Mapping[str, int]
    """The number of jobs in each condition, also of those that do not match."""

    found: int = 0
    """The matches of a narrowed list, up to one more than ``MOST_COUNTED``."""

    @classmethod
    def of(
        cls, *, jobs: QuerySet[Job], by: Criteria, counts: Mapping[str, int], condition: str, is_narrowed: bool
    ) -> QuerySet[Job] | LongList:
        """
        Return the query itself where that is fast enough, otherwise its jobs as a long list.

        ``condition``: the only one that is wanted, if it is one. ``is_narrowed``: other criteria apply too.
        """
        if sum(counts.values()) <= LONG:
            return jobs
        ids: Sequence[str] = ()
        if is_narrowed:
            ids = list(jobs.order_by().values_list("pk", flat=True)[: MOST_COUNTED + 1])
            if len(ids) <= LONG:
                return jobs.filter(pk__in=ids)
        wanted = (condition,) if condition in conditions.CONDITIONS else conditions.CONDITIONS
        total = None if is_narrowed else sum(counts[each] for each in wanted)
        first, *others = _until_unique([_own_column(part) for part in jobs.query.order_by]) or [""]
        branches: Sequence[str] = ()
        if first in (_SEVERITY, f"-{_SEVERITY}"):
            branches = wanted if first == _SEVERITY else tuple(reversed(wanted))
            jobs = jobs.order_by(*others)
        return cls(jobs=jobs, by=by, branches=branches, total=total, counts=counts, found=len(ids))

    def count(self) -> int:
        """Return the number of jobs, which of a narrowed list is at most ``MOST_COUNTED``."""
        return min(self.found, MOST_COUNTED) if self.total is None else self.total

    @property
    def is_cut(self) -> bool:
        """Return whether more jobs match than are counted."""
        return self.total is None and self.found > MOST_COUNTED

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, page: slice) -> Sequence[Job]:
        skipped, wanted = page.start or 0, page.stop - (page.start or 0)
        if not self.branches:
            return list(self.jobs[skipped : page.stop])
        rows: list[Job] = []
        for condition in self.branches:
            if len(rows) >= wanted or not self.counts[condition]:
                continue
            branch = conditions.only(jobs=self.jobs, condition=condition, by=self.by)
            if skipped and (size := self._size(branch, condition, most=skipped)) <= skipped:
                skipped -= size
                continue
            last = skipped + wanted - len(rows)
            rows += self._near(branch, condition, last=last)[skipped:last]
            skipped = 0
        return rows

    def _near(self, branch: QuerySet[Job], condition: str, *, last: int) -> QuerySet[Job]:
        """
        Narrow a condition to the first jobs of its state that match: an index has their names and ids.

        Among these the first ones in the condition are, however few match. The words of the condition alone would have
        the rows of all jobs read that come before the first match.
        """
        same = conditions.among_state(jobs=self.jobs, condition=condition, counts=self.counts)
        if self.total is not None or same is None or last + same[1] > MOST_COUNTED:
            return branch
        return branch.filter(pk__in=list(same[0].values_list("pk", flat=True)[: last + same[1]]))

    def _size(self, branch: QuerySet[Job], condition: str, *, most: int) -> int:
        """Return the number of jobs in a condition. One more than ``most`` is as good as all."""
        return self.counts[condition] if self.total is not None else branch.order_by().values("pk")[: most + 1].count()


def _until_unique(order: Sequence[Any]) -> list[Any]:
    """Leave out what follows the id, by which two jobs are never equal."""
    ids = [place for place, part in enumerate(order) if part in ("djangojob_ptr_id", "-djangojob_ptr_id")]
    return [*order[: ids[0] + 1 if ids else None]]


def _own_column(part: Any) -> Any:
    """Order by the id that the table of jobs itself has: an index can give both the name and that."""
    return part.replace("pk", "djangojob_ptr_id") if part in ("pk", "-pk") else part


def first(
    *, jobs: QuerySet[Job], by: Criteria, counts: Mapping[str, int], order: Sequence[Any], count: int
) -> list[Job]:
    """Return the first jobs, the worst condition first and in this order within each."""
    ordered = conditions.with_condition(jobs=jobs, by=by).order_by(_SEVERITY, *order)
    return list(LongList.of(jobs=ordered, by=by, counts=counts, condition="", is_narrowed=False)[:count])
