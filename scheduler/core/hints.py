"""Hints at what was meant, added to the messages of errors."""

from __future__ import annotations

from scheduler.messages import declare

DID_YOU_MEAN = declare("did_you_mean", "Did you mean “{name}”?", name=str)
TAKES_NOTHING = declare("takes_nothing", "It takes: nothing.")
TAKES = declare("takes", "It takes: {names}.", names=str)
