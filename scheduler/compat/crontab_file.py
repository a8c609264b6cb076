"""A user's crontab, read as declarations of jobs that run management commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

from scheduler.core import triggers
from scheduler.errors import InvalidTrigger

_VARIABLE = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_REDIRECTIONS = re.compile(r"(?:\s*(?:\d>&\d|(?:\d?>>?|&>>?)\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'&|;]+)))+\s*$")
"""At the end of a command: elsewhere the signs may be part of an argument."""

_BEFORE = re.compile(
    r"(?:cd\s+\S+\s*(?:&&|;)\s*)?(?:(?:\.|source)\s+\S+/activate\s*(?:&&|;)\s*)?"
    r"(?:[A-Za-z_]\w*=\S*\s+)*(?:\S*python[\d.]*\s+)?\S*manage\.py\s+(.*)"
)
"""The parts of a command that only prepare a management command: folder, virtual environment, variables, Python."""

_OF_THE_MAILER = "MAILTO is left out: alert rules report failures, and a channel of the kind “mail” sends them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a crontab that holds a job."""

    number: int
    key: str = ""
    definition: dict[str, Any] | None = None
    """A job of a declarations file. ``None``: the line cannot become one."""

    text: str = ""
    """Why it cannot, or what is left out."""

    is_refused: bool = False
    """It would have run something, and does not become a job."""


def read(text: str, *, timezone: str) -> list[Line]:
    """
    Return each line with a job, in order. ``timezone`` counts until a line sets ``CRON_TZ``.

    A line becomes a job if it runs a management command. Other commands of a shell are rejected with a sentence.
    """
    found: list[Line] = []
    zone, keys = timezone, set[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        variable = _VARIABLE.fullmatch(line)
        if not stripped or stripped.startswith("#"):
            continue
        if variable is not None:
            if variable[1] in ("CRON_TZ", "TZ"):
                zone = variable[2].strip("\"'") or timezone
            else:
                left_out = f"{variable[1]} is left out: set it for the nodes."
                found.append(Line(number=number, text=_OF_THE_MAILER if variable[1] == "MAILTO" else left_out))
            continue
        found.append(_job(number, stripped, zone=zone, keys=keys))
    return found


def _job(number: int, line: str, *, zone: str, keys: set[str]) -> Line:
    expression, command = _split(line)
    if expression == "@reboot":
        text = "@reboot means the start of a machine. Start a service there; a job has times."
        return Line(number=number, text=text, is_refused=True)
    trigger = {"type": "cron", "expression": expression, "timezone": zone}
    try:
        triggers.parse(trigger)
    except InvalidTrigger as error:
        return Line(number=number, text=str(error), is_refused=True)
    words = _management_command(command)
    if words is None:
        text = f"It runs a shell command, “{command[:80]}”. Write a task for it, or a management command."
        return Line(number=number, text=text, is_refused=True)
    name, *args = words
    definition: dict[str, Any] = {
        "task": "scheduler.call_command",
        "trigger": expression,
        "timezone": zone,
        "kwargs": {"name": name, **({"args": args} if args else {})},
    }
    return Line(number=number, key=_key(words, keys), definition=definition)


def _split(line: str) -> tuple[str, str]:
    """Return the expression and the command of a line."""
    if line.startswith("@"):
        nickname, *rest = line.split(None, 1)
        return _NICKNAMES.get(nickname.lower(), nickname.lower()), "".join(rest)
    parts = line.split(None, 5)
    return " ".join(parts[:5]), parts[5] if len(parts) > 5 else ""


def _management_command(command: str) -> list[str] | None:
    """Return name and arguments of the one management command that a line runs. ``None``: it does something else."""
    match = _BEFORE.fullmatch(_REDIRECTIONS.sub("", command).strip())
    if match is None or re.search(r"(?<!\\)%", match[1]):
        return None
    try:
        lexer = shlex.shlex(match[1].replace("\\%", "%"), posix=True, punctuation_chars="|&;<>()`$")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return None
    if not words or words[0].startswith("-") or any(re.search(r"[|&;<>`$]", word) for word in words):
        return None
    return words


def _key(words: list[str], keys: set[str]) -> str:
    """Return a key that tells what the job does, and that no other job of the file has."""
    base = "-".join(re.sub(r"[^A-Za-z0-9_.]+", "-", word).strip("-") for word in words).strip("-")[:200]
    key, number = base, 2
    while key in keys:
        key, number = f"{base}-{number}", number + 1
    keys.add(key)
    return key
