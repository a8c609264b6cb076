"""Nodes: whether they live, keep up, end what they should, and agree on the time."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.core.health.check import Check, Limits, Status, duration
from scheduler.core.health.standing import NodeView, OpenTransaction, Scheduling, Standing
from scheduler.messages import phrase, phrase_of, row

LONG_TRANSACTION_SECONDS = 60.0
"""An open transaction delays the clean-up of rows that it could see: queues slow down after about a minute."""


def nodes(found: Scheduling, limits: Limits, *, views: Sequence[NodeView] = ()) -> Check:
    drained = sum(node.is_drained and node.is_fresh for node in views)
    if found.fresh_nodes and drained >= found.fresh_nodes:
        text = phrase_of(
            "The only node is drained: no runs start. Let it take runs again, or start another one.",
            "All {number:,} nodes are drained: no runs start. Let one take runs again, or start another one.",
            number=drained,
        )
        return Check(name="nodes", status=Status.FAIL, text=text, value=0, limit=1)
    if found.fresh_nodes:
        silent = found.nodes - found.fresh_nodes
        text = phrase_of("{number:,} node is alive.", "{number:,} nodes are alive.", number=found.fresh_nodes)
        if silent:
            more = phrase_of(
                "{number:,} node is silent: its runs move to other nodes once it is declared lost.",
                "{number:,} nodes are silent: their runs move to other nodes once they are declared lost.",
                number=silent,
            )
            text = row(" ", [text, more])
        status = Status.WARN if silent else Status.PASS
        return Check(name="nodes", status=status, text=text, value=found.fresh_nodes, limit=1)
    if not limits.enabled:
        text = phrase("No scheduler is running, and ENABLE_SCHEDULER is off here.")
        return Check(name="nodes", status=Status.WARN, text=text, value=0, limit=1)
    if found.heartbeat_age is None:
        text = phrase("No scheduler is running. Start one with “manage.py runscheduler”.")
    else:
        text = phrase(
            "No scheduler is running: last heartbeat {age} ago. No jobs will start. Start a node with "
            "“manage.py runscheduler”, or find out why it is not responding.",
            age=duration(found.heartbeat_age),
        )
    return Check(name="nodes", status=Status.FAIL, text=text, value=0, limit=1)


def stuck(found: Standing) -> Check:
    threads = sum(node.stuck for node in found.nodes)
    unheeded = sum(queue.unheeded for queue in found.queues)
    said: list[str] = []
    if threads:
        names = ", ".join(sorted({node.name for node in found.nodes if node.stuck}))
        said.append(
            phrase_of(
                "{number:,} thread goes on after its run timed out: restart {nodes} to end it.",
                "{number:,} threads go on after their runs timed out: restart {nodes} to end them.",
                number=threads,
                nodes=names,
            )
        )
    if unheeded:
        said.append(
            phrase_of(
                "{number:,} run goes on although its cancellation was requested: restart its node to end it.",
                "{number:,} runs go on although their cancellation was requested: restart their nodes to end them.",
                number=unheeded,
            )
        )
    kept = [node for node in found.nodes if node.kept_by]
    said += [
        phrase(
            "Run {runs} keeps the interpreter of {node} to itself, so other threads there stand still: run such code "
            "in the process pool.",
            runs=node.kept_by,
            node=node.name,
        )
        for node in kept
    ]
    text = row(" ", said) if said else phrase("Runs end when they are told to.")
    status = Status.WARN if said else Status.PASS
    return Check(name="stuck_runs", status=status, text=text, value=threads + unheeded + len(kept), limit=0)


def recorder(found: Scheduling, limits: Limits) -> Check:
    """Outcomes in the memory of nodes: too many, or one that has been there for too long."""
    if found.backlog is None:
        text = phrase("No node has reported a backlog.")
        return Check(name="recorder", status=Status.PASS, text=text, limit=limits.backlog)
    age = found.backlog_seconds or 0.0
    if found.backlog <= limits.backlog and age <= limits.overdue_seconds:
        text = phrase("Results are written without delay.")
        return Check(name="recorder", status=Status.PASS, text=text, value=found.backlog, limit=limits.backlog)
    text = phrase_of(
        "A node has {number:,} result that it could not write yet, for {age}: check what holds up the database.",
        "A node has {number:,} results that it could not write yet, the oldest for {age}: check what holds up the "
        "database.",
        number=found.backlog,
        age=duration(age),
    )
    return Check(name="recorder", status=Status.FAIL, text=text, value=found.backlog, limit=limits.backlog)


def clocks(found: Scheduling, limits: Limits) -> Check:
    limit = limits.skew_seconds
    if found.skew is None:
        text = phrase("No node has reported its clock.")
        return Check(name="clocks", status=Status.PASS, text=text, limit=limit, unit="s")
    skew = round(found.skew, 3)
    if found.skew <= limit:
        text = phrase("The clocks of the nodes agree with the database's.")
        return Check(name="clocks", status=Status.PASS, text=text, value=skew, limit=limit, unit="s")
    text = phrase(
        "The clock of a node is {seconds:.1f} s away from the database's. Jobs run on time all the same; "
        "set up NTP, so that logs can be compared.",
        seconds=found.skew,
    )
    return Check(name="clocks", status=Status.WARN, text=text, value=skew, limit=limit, unit="s")


def time_zones(found: Standing) -> Check:
    """Compare the rules of the nodes and of this process: with different ones a job may run twice, or an hour off."""
    releases: dict[str, list[str]] = {}
    for node in found.nodes:
        if node.tzdata and node.is_fresh:
            releases.setdefault(node.tzdata, []).append(node.name)
    if releases and found.tzdata not in releases:
        releases[found.tzdata] = [phrase("this process")]
    count = len(releases)
    if count < 2:
        text = phrase("The nodes compute by the same time zone rules.")
        if count:
            text = phrase("The nodes compute by the time zone rules {release}.", release=next(iter(releases)))
        return Check(name="time_zones", status=Status.PASS, text=text, value=count, limit=1)
    listed = "; ".join(f"{release}: {', '.join(sorted(set(names)))}" for release, names in sorted(releases.items()))
    text = phrase(
        "Processes compute by different time zone rules ({releases}): a job may run twice, or an hour off. Install the "
        "same release of the package tzdata everywhere.",
        releases=listed,
    )
    return Check(name="time_zones", status=Status.WARN, text=text, value=count, limit=1)


def transactions(found: OpenTransaction | None) -> Check:
    limit = LONG_TRANSACTION_SECONDS
    if found is None or found.seconds <= limit:
        text = phrase("No transaction has been open for long.")
        value = 0.0 if found is None else round(found.seconds, 1)
        return Check(name="transactions", status=Status.PASS, text=text, value=value, limit=limit, unit="s")
    message = (
        phrase(
            "The prepared transaction “{name}” has been open for {age}: commit it or roll it back. Until then queues "
            "and tables grow slower with every run.",
            name=found.name,
            age=duration(found.seconds),
        )
        if found.is_prepared
        else phrase(
            "A transaction of the database process {name} has been open for {age}: end it. Until then queues and "
            "tables grow slower with every run.",
            name=found.name,
            age=duration(found.seconds),
        )
    )
    value = round(found.seconds, 1)
    return Check(name="transactions", status=Status.WARN, text=message, value=value, limit=limit, unit="s")
