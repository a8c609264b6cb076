"""The id of this node, which changes after the node was marked lost."""

from __future__ import annotations

import uuid


class Identity:
    """The UUID under which the node owns runs."""

    def __init__(self) -> None:
        self.node = str(uuid.uuid4())

    def become(self, other: Identity) -> None:
        self.node = other.node
