"""
``json`` and ``time`` as they were when the process started, for the threads of a node.

Tasks run in threads of the same process. One that replaces ``time.time`` or ``json.loads``, as libraries for tests do,
replaces it for everybody who looks it up in these modules. The node looks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import json
    import time
else:
    import json as _json
    import time as _time
    from types import SimpleNamespace

    json = SimpleNamespace(**vars(_json))
    time = SimpleNamespace(**vars(_time))

__all__ = ["json", "time"]
