"""
The rules of time zones: which release of the IANA database this process computes by.

A machine may have two, the system's files and the package ``tzdata``. The newer one counts, unless ``PYTHONTZPATH``
chooses. Files of the system that name no release count as older.
"""

from __future__ import annotations

import importlib
import os
import re
import zoneinfo
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import tzdata

_RELEASE = re.compile(r"\d{4}[a-z]+")
_SYSTEM = zoneinfo.TZPATH
"""Where Python looks by itself."""


def use_newest(*, system: tuple[str, ...] = _SYSTEM, environ: Mapping[str, str] = os.environ) -> str:
    """Let ``zoneinfo`` read the newer rules from now on. Return their release."""
    if "PYTHONTZPATH" not in environ:
        older = is_older(_release_of(system), than=_package_release())
        chosen = () if older else system
        if chosen != zoneinfo.TZPATH:
            zoneinfo.reset_tzpath(to=chosen)
            zoneinfo.ZoneInfo.clear_cache()
    release.cache_clear()
    rank.cache_clear()
    return release()


@cache
def release() -> str:
    """Return the release that ``zoneinfo`` read when it was chosen, such as ``2026c``."""
    return _release_of(zoneinfo.TZPATH) or _package_release()


@cache
def rank() -> str:
    """Return the release in a form that can be compared between processes. An unnamed one is older than all."""
    found = release()
    return found if _RELEASE.fullmatch(found) else ""


def is_older(release: str, *, than: str) -> bool:
    """Return whether one release came before another. An unnamed release came first."""
    if not _RELEASE.fullmatch(than):
        return False
    return not _RELEASE.fullmatch(release) or release < than


def _release_of(folders: tuple[str, ...]) -> str:
    """Return the release of the first folder with rules; empty: none of them has any."""
    for folder in map(Path, folders):
        for name in ("tzdata.zi", "+VERSION"):
            if (folder / name).is_file():
                with (folder / name).open() as file:
                    return file.readline().removeprefix("# version ").strip()[:64]
        if (folder / "UTC").is_file():
            # The time of the installation stands for the release, which is kept nowhere.
            return f"installed {int((folder / 'UTC').stat().st_mtime)}"
    return ""


def _package_release() -> str:
    return str(importlib.reload(tzdata).IANA_VERSION)
