"""Which PostgreSQL: DATABASE_URL, POSTGRES_*, or the embedded server. The result is ``settings.DATABASES``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from django.core.exceptions import ImproperlyConfigured

from openlearn.environment import Environment

ENGINE = "openlearn.db.postgresql"
SCHEMES = frozenset({"postgresql", "postgres"})

TCP_OPTIONS: dict[str, str] = {
    # A host that went away is noticed in seconds. The kernel alone takes minutes, or for ever.
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The address of a database. Several hosts and their ports are lists with commas, as in libpq."""

    name: str
    host: str = ""
    port: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    """Everything else that libpq understands: ``sslmode``, ``application_name``, ``target_session_attrs``, …"""

    @property
    def is_tcp(self) -> bool:
        """Return whether any of the hosts is reached by TCP. An empty host or a path is a Unix socket."""
        return any(host and not host.startswith(("/", "@")) for host in self.host.split(","))


def databases(environment: Environment, *, data_dir: Path) -> dict[str, dict[str, Any]]:
    """
    Return DATABASES: ``default``, and ``direct`` with DATABASE_URL_SYNC. It neither connects nor starts a server.

    :raises ImproperlyConfigured: a URL or a number cannot be used. Passwords are not repeated
    """
    pool = {
        "POOL_SIZE": environment.integer("DB_POOL_SIZE", 5, least=1, most=10_000),
        "MAX_OVERFLOW": environment.integer("DB_MAX_OVERFLOW", 10, most=10_000),
        "RECYCLE": environment.integer("DB_POOL_RECYCLE", 3600, least=1),
        "TIMEOUT": environment.integer("DB_POOL_TIMEOUT", 30, least=1),
    }
    address = external_address(environment)
    if address is None:
        embedded = {"EMBEDDED": data_dir, **_entry(Address(name="postgres", user="postgres"), pool)}
        return {"default": embedded}
    default = _entry(address, pool)
    result = {"default": default}
    direct = environment.text("DATABASE_URL_SYNC")
    if direct:
        # A transaction-mode pooler forgets server-side cursors between two statements.
        default["DISABLE_SERVER_SIDE_CURSORS"] = True
        result["direct"] = {**_entry(parse(direct, variable="DATABASE_URL_SYNC"), pool), "TEST": {"MIRROR": "default"}}
    return result


def external_address(environment: Environment) -> Address | None:
    """Return where DATABASE_URL or POSTGRES_* point, or ``None`` if neither is set."""
    url = environment.text("DATABASE_URL")
    if url:
        return parse(url, variable="DATABASE_URL")
    given = {key: environment.text(f"POSTGRES_{key}") for key in ("HOST", "PORT", "USER", "PASSWORD", "DB")}
    if not any(given.values()):
        if environment.text("DATABASE_URL_SYNC"):
            raise ImproperlyConfigured(
                "DATABASE_URL_SYNC is set and DATABASE_URL is not. It names the direct way to the database of "
                "DATABASE_URL: set both, or only DATABASE_URL."
            )
        return None
    if not given["DB"]:
        raise ImproperlyConfigured("POSTGRES_DB is not set. Set it to the name of the database.")
    return Address(
        name=given["DB"],
        host=given["HOST"] or "localhost",
        port=given["PORT"],
        user=given["USER"],
        password=given["PASSWORD"],
    )


def parse(url: str, *, variable: str) -> Address:
    """
    Read a PostgreSQL URL as libpq does, and ignore a driver's suffix (``postgresql+asyncpg://``).

    :raises ImproperlyConfigured: it is not a PostgreSQL URL, or names no database
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.partition("+")[0].lower() not in SCHEMES:
        shown = f"“{scheme}://…”" if separator else "not a URL"
        raise ImproperlyConfigured(
            f"{variable} is {shown}. The scheduler needs PostgreSQL: write postgresql://user:password@host:5432/name."
        )
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    options = dict(parse_qsl(query, keep_blank_values=True))
    host, port = _hosts(hosts, variable)
    address = Address(
        name=options.pop("dbname", "") or unquote(path),
        host=options.pop("host", "") or host,
        port=options.pop("port", "") or port,
        user=options.pop("user", "") or unquote(user),
        password=options.pop("password", "") or unquote(password),
        options=_libpq_options(options),
    )
    if not address.name and "service" not in address.options:
        raise ImproperlyConfigured(f"{variable} names no database: end it with /name.")
    return address


def _hosts(authority: str, variable: str) -> tuple[str, str]:
    """Split ``host:port,[::1]:port`` into the hosts and the ports."""
    hosts, ports = [], []
    for part in authority.split(","):
        if part.startswith("["):
            host, _, tail = part[1:].partition("]")
            port = tail.removeprefix(":")
        else:
            host, _, port = part.partition(":")
        if port and not port.isdecimal():
            raise ImproperlyConfigured(
                f"{variable} has a port that is not a number. Percent-encode “@”, “:”, “/” and “#” in the password."
            )
        hosts.append(unquote(host))
        ports.append(port)
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _libpq_options(options: dict[str, str]) -> dict[str, str]:
    """asyncpg and SQLAlchemy write ``ssl=require`` where libpq writes ``sslmode=require``."""
    ssl = options.pop("ssl", "")
    if ssl:
        options.setdefault("sslmode", {"true": "require", "false": "disable"}.get(ssl.lower(), ssl))
    return options


def _entry(address: Address, pool: dict[str, Any]) -> dict[str, Any]:
    options = {"application_name": "openlearn", **(TCP_OPTIONS if address.is_tcp else {}), **address.options}
    return {
        "ENGINE": ENGINE,
        "NAME": address.name,
        "USER": address.user,
        "PASSWORD": address.password,
        "HOST": address.host,
        "PORT": address.port,
        "OPTIONS": options,
        "POOL_OPTIONS": pool,
        # Where a person corrects what the server refuses.
        "VARIABLES": {"HOST": "DATABASE_URL or POSTGRES_HOST", "PASSWORD": "DATABASE_URL or POSTGRES_PASSWORD"},
    }
