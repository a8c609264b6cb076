from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from openlearn import postgres
from openlearn.environment import Environment


def parse(url: str) -> postgres.Address:
    return postgres.parse(url, variable="DATABASE_URL")


def databases(**variables: str) -> dict[str, dict[str, Any]]:
    return postgres.databases(Environment(variables), data_dir=Path("/data"))


class TestParse:
    def test_reads_every_part(self) -> None:
        address = parse("postgresql://anna:secret@db.example:6432/learning?sslmode=verify-full&application_name=web")

        assert address == postgres.Address(
            name="learning",
            host="db.example",
            port="6432",
            user="anna",
            password="secret",
            options={"sslmode": "verify-full", "application_name": "web"},
        )

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql+asyncpg", "postgresql+psycopg2", "PostgreSQL"])
    def test_drops_the_driver(self, scheme: str) -> None:
        assert parse(f"{scheme}://db.example/learning") == parse("postgresql://db.example/learning")

    def test_decodes_percent_signs_once(self) -> None:
        address = parse("postgresql://an%40na:p%40ss%2Fw%3Ard%25%2B+@db.example/a%2Fb")

        assert (address.user, address.password, address.name) == ("an@na", "p@ss/w:rd%++", "a/b")

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    def test_gives_back_any_password(self, password: str) -> None:
        from urllib.parse import quote

        assert parse(f"postgresql://anna:{quote(password, safe='')}@db.example/learning").password == password

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://anna@%2Fvar%2Frun%2Fpostgresql/learning",
            "postgresql:///learning?host=/var/run/postgresql&user=anna",
        ],
    )
    def test_takes_a_folder_of_unix_sockets(self, url: str) -> None:
        address = parse(url)

        assert (address.host, address.user, address.is_tcp) == ("/var/run/postgresql", "anna", False)

    def test_takes_several_hosts(self) -> None:
        address = parse("postgresql://anna@one:5433,[2001:db8::1],three:5434/learning?target_session_attrs=read-write")

        assert (address.host, address.port) == ("one,2001:db8::1,three", "5433,,5434")
        assert address.options == {"target_session_attrs": "read-write"}

    def test_takes_an_ipv6_address(self) -> None:
        address = parse("postgresql://[::1]:6432/learning")

        assert (address.host, address.port) == ("::1", "6432")

    @pytest.mark.parametrize(("written", "meant"), [("require", "require"), ("true", "require"), ("false", "disable")])
    def test_translates_the_ssl_of_asyncpg(self, written: str, meant: str) -> None:
        assert parse(f"postgresql+asyncpg://db.example/learning?ssl={written}").options == {"sslmode": meant}

    @pytest.mark.parametrize("url", ["mysql://root:secret@db/x", "sqlite:///x.db", "db.example:secret", "redis://h"])
    def test_refuses_what_is_not_postgresql_and_repeats_no_password(self, url: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="needs PostgreSQL") as refusal:
            parse(url)

        assert "secret" not in str(refusal.value)

    def test_refuses_a_url_without_a_database(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="names no database"):
            parse("postgresql://db.example")

    def test_says_what_to_do_about_a_password_that_is_not_encoded(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="Percent-encode") as refusal:
            parse("postgresql://anna:se/cret@db.example/learning")

        assert "cret" not in str(refusal.value)

    def test_hides_the_password_in_its_representation(self) -> None:
        assert "secret" not in repr(parse("postgresql://anna:secret@db.example/learning"))


class TestDatabases:
    def test_are_the_embedded_server_when_nothing_is_set(self) -> None:
        default = databases()["default"]

        assert default["EMBEDDED"] == Path("/data")
        assert "connect_timeout" not in default["OPTIONS"]

    def test_read_the_variables_one_by_one(self) -> None:
        default = databases(
            POSTGRES_HOST="db.example", POSTGRES_PORT="6432", POSTGRES_USER="a", POSTGRES_PASSWORD="b", POSTGRES_DB="c"
        )["default"]

        found = [default[key] for key in ("HOST", "PORT", "USER", "PASSWORD", "NAME")]
        assert found == ["db.example", "6432", "a", "b", "c"]
        assert "EMBEDDED" not in default

    def test_have_no_default_password(self) -> None:
        assert databases(POSTGRES_HOST="db.example", POSTGRES_DB="c")["default"]["PASSWORD"] == ""

    def test_ask_for_the_name_of_the_database(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="POSTGRES_DB is not set"):
            databases(POSTGRES_HOST="db.example")

    def test_prefer_the_url(self) -> None:
        assert databases(DATABASE_URL="postgresql://one/x", POSTGRES_HOST="two")["default"]["HOST"] == "one"

    def test_notice_a_dead_host_within_seconds(self) -> None:
        options = databases(DATABASE_URL="postgresql://db.example/x?connect_timeout=9")["default"]["OPTIONS"]

        assert options["connect_timeout"] == "9"
        assert options["tcp_user_timeout"] == "10000"

    def test_hand_only_what_libpq_knows(self) -> None:
        options = databases(DATABASE_URL="postgresql://db.example/x?sslmode=require")["default"]["OPTIONS"]

        assert psycopg2.extensions.parse_dsn(psycopg2.extensions.make_dsn(**options)) == options

    def test_name_the_direct_connection_that_shares_the_test_database(self) -> None:
        found = databases(DATABASE_URL="postgresql://pooler/x", DATABASE_URL_SYNC="postgresql+psycopg2://server/x")

        assert found["direct"]["HOST"] == "server"
        assert found["direct"]["TEST"] == {"MIRROR": "default"}
        assert found["default"]["DISABLE_SERVER_SIDE_CURSORS"] is True

    def test_refuse_a_direct_connection_alone(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="DATABASE_URL_SYNC is set and DATABASE_URL is not"):
            databases(DATABASE_URL_SYNC="postgresql://server/x")

    def test_are_pooled_as_promised(self) -> None:
        assert databases()["default"]["POOL_OPTIONS"] == {
            "POOL_SIZE": 5,
            "MAX_OVERFLOW": 10,
            "RECYCLE": 3600,
            "TIMEOUT": 30,
        }

    @pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
    def test_refuse_a_pool_without_connections(self, value: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="DB_POOL_SIZE"):
            databases(DB_POOL_SIZE=value)
