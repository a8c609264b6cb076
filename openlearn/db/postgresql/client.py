from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.postgresql import client

from openlearn.db import programs


class DatabaseClient(client.DatabaseClient):
    """``manage.py dbshell``, which has to start the embedded server first, and finds its ``psql`` in the wheel."""

    def runshell(self, parameters: Iterable[str]) -> None:
        self.connection.ensure_server()  # type: ignore[attr-defined]
        super().runshell(parameters)

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, object], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        arguments, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        if settings_dict.get("EMBEDDED"):
            arguments[0] = str(programs.folder() / "psql")
        return arguments, environment
