from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from dj_db_conn_pool.backends.postgresql import base
from dj_db_conn_pool.core import pool_container
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]
from django.db.utils import OperationalError

from openlearn.db import embedded, programs
from openlearn.db.postgresql.client import DatabaseClient


class ForgettingDialect(base.DatabaseWrapper.SQLAlchemyDialect):
    """The reset of a connection that returns to the pool."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """
        Let the session forget what was set in it, its temporary tables and its advisory locks.

        The next one that gets it may be another job's task: one's ``SET search_path`` must not become the other's.
        """
        session = getattr(dbapi_connection, "driver_connection", dbapi_connection)
        if session.closed:
            return
        try:
            session.rollback()
            session.autocommit = True
            with session.cursor() as cursor:
                cursor.execute("DISCARD ALL")
        except Database.Error:
            session.close()  # the server ended it: the pool replaces it when somebody wants one


class DatabaseWrapper(base.DatabaseWrapper):
    """
    A pooled connection. With the key ``EMBEDDED`` (a folder) in its settings it first starts the server in there.

    The server starts at the first connection, so that commands without a database do not start it.
    """

    client_class = DatabaseClient
    SQLAlchemyDialect = ForgettingDialect

    def get_connection_params(self) -> dict[str, Any]:
        """Return the driver's parameters. The embedded server runs when this returns."""
        self.ensure_server()
        return super().get_connection_params()

    def ensure_server(self) -> None:
        """Start the embedded server if this database is one, and note where it listens."""
        folder: Path | None = self.settings_dict.get("EMBEDDED")
        if folder is None:
            return
        try:
            self.settings_dict["HOST"] = embedded.server(folder).start()
        except (embedded.EmbeddedServerFailed, programs.ProgramsMissing) as error:
            raise OperationalError(str(error)) from None


def _forget_pools() -> None:
    """In a forked child: the connections in the pools are the parent's, and two may not speak on one socket."""
    pool_container.lock = threading.Lock()
    pool_container.clear()


os.register_at_fork(after_in_child=_forget_pools)
