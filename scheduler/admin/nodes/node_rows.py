"""The nodes of a table: what each runs, and what is odd about it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.admin.format import display
from scheduler.conf import get as settings
from scheduler.core.queues import tracks
from scheduler.core.states import NodeKind
from scheduler.models import Node
from scheduler.services.nodes import SeenNode
from scheduler.services.sites import reverse


def node_rows(nodes: list[SeenNode]) -> list[dict[str, Any]]:
    """Nodes with what is odd about them."""
    versions = {seen.node.version for seen in nodes if seen.state == "running"}
    rows = []
    for seen in nodes:
        odd = []
        if seen.state == "running" and len(versions) > 1:
            odd.append(_("versions differ"))
        if seen.skew_seconds is not None and abs(seen.skew_seconds) > settings().skew_seconds:
            odd.append(_("clock %s off") % display.took(seen.skew_seconds))
        if seen.node.stuck:
            odd.append(ngettext("%s hung thread", "%s hung threads", seen.node.stuck) % display.number(seen.node.stuck))
        odd += [_("the broker %s refuses messages") % display.first_line(name) for name in _refused(seen.node)]
        rows.append(
            {
                "node": seen.node,
                "mark": display.NODE_MARKS[seen.state],
                "odd": ", ".join(odd),
                "executors": ", ".join(f"{name} {size}" for name, size in _places(seen.node)),
                "address": reverse("admin:scheduler_node_change", args=[seen.node.pk]),
            }
        )
    return rows


def _places(node: Node) -> list[tuple[str, Any]]:
    """Return the executors of a node with their sizes. A worker has one pool for all queues of its broker."""
    sizes = sorted(node.executors.items()) if isinstance(node.executors, dict) else []
    if node.kind == NodeKind.NODE:
        return sizes
    return [(tracks.remote(name, ", ".join(map(str, node.queues))), size) for name, size in sizes]


def _refused(node: Node) -> list[str]:
    """Return the brokers that refused the last messages of a node."""
    measure: Any = getattr(node, "measure", None)
    return sorted(measure.brokers) if measure is not None and isinstance(measure.brokers, dict) else []
