from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base
from django.db.utils import OperationalError

from openlearn.db import embedded, programs
from openlearn.db.postgresql.client import DatabaseClient
from openlearn.db.postgresql.pool import Limits, Pool


class DatabaseWrapper(base.DatabaseWrapper):
    """
    A pooled connection. With the key ``EMBEDDED`` (a folder) in its settings it first starts the server in there.

    The server starts at the first connection, so that commands without a database do not start it.
    """

    client_class = DatabaseClient
    _lender: Pool | None = None
    """Where its session is from. ``None``: opened past the pool."""

    def get_connection_params(self) -> dict[str, Any]:
        """Return the driver's parameters. The embedded server runs when this returns."""
        self.ensure_server()
        params: dict[str, Any] = super().get_connection_params()
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Take a session of the pool."""
        self._lender = pool_of(self)
        return self._lender.take(partial(self._get_new_connection, conn_params))

    def _get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect past the pool. Sessions of nodes do so."""
        return super().get_new_connection(conn_params)

    def _close(self) -> None:
        lender, self._lender = self._lender, None
        if self.connection is None or lender is None:
            super()._close()  # type: ignore[misc]
        elif self.in_atomic_block:  # Django keeps it until the block ends: nobody else may have it
            lender.end(self.connection)
        else:
            lender.give_back(self.connection)

    def close_pool(self) -> None:
        """Close the sessions that nobody uses, as before the database is dropped."""
        with _changing:
            pool = _pools.pop(_key(self), None)
        if pool is not None:
            pool.close()

    @property
    def pool_in_use(self) -> int:
        """Return how many sessions of its pool the threads of this process have."""
        pool = _pools.get(_key(self))
        return 0 if pool is None else pool.in_use

    def ensure_server(self) -> None:
        """Start the embedded server if this database is one, and note where it listens."""
        folder: Path | None = self.settings_dict.get("EMBEDDED")
        if folder is None:
            return
        try:
            self.settings_dict["HOST"] = embedded.server(folder).start()
        except (embedded.EmbeddedServerFailed, programs.ProgramsMissing) as error:
            raise OperationalError(str(error)) from None


_pools: dict[tuple[str, str | None], Pool] = {}
_changing = threading.Lock()


def pool_of(wrapper: DatabaseWrapper) -> Pool:
    """Return the pool of this process for the database, made at the first use."""
    with _changing:
        pool = _pools.get(_key(wrapper))
        if pool is None:
            options = wrapper.settings_dict["POOL_OPTIONS"]
            limits = Limits(
                size=options["POOL_SIZE"],
                overflow=options["MAX_OVERFLOW"],
                recycle_seconds=options["RECYCLE"],
                timeout_seconds=options["TIMEOUT"],
            )
            pool = _pools[_key(wrapper)] = Pool(limits)
        return pool


def close_pools() -> None:
    """Close the sessions that nobody uses, and let new ones be opened from here on."""
    with _changing:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close()


def _key(wrapper: DatabaseWrapper) -> tuple[str, str | None]:
    return wrapper.alias, wrapper.settings_dict["NAME"]


def _forget_pools() -> None:
    """In a forked child: the connections in the pools are the parent's, and two may not speak on one socket."""
    global _changing
    _changing = threading.Lock()
    _pools.clear()


os.register_at_fork(after_in_child=_forget_pools)
