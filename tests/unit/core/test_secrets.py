from __future__ import annotations

import dataclasses
from typing import Annotated, Any, NamedTuple, NewType, Optional, TypedDict, Union

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from scheduler.core.tasks.registry import Secret, task
from scheduler.core.tasks.secrets import is_secret, revealed
from scheduler.core.tasks.task import Task
from scheduler.errors import InvalidTask

Token = Annotated[str, Secret]
Key = NewType("Key", Token)  # type: ignore[valid-newtype]


class Account(BaseModel):
    name: str
    password: SecretStr


class Marked(BaseModel):
    password: Annotated[str, Secret]


class Tree(BaseModel):
    children: list[Tree] = []
    account: Account | None = None


class Endless(BaseModel):
    children: list[Endless] = []


@dataclasses.dataclass
class Login:
    user: str
    password: Token


class Options(TypedDict):
    token: Token


class Pair(NamedTuple):
    name: str
    token: Token


class TestAMark:
    @pytest.mark.parametrize(
        "hint",
        [
            Annotated[str, Secret],
            Annotated[str, Secret()],
            Annotated[str, Secret] | None,
            Annotated[str | None, Secret],
            Optional[Token],  # noqa: UP045
            Union[int, Token],  # noqa: UP007
            Annotated[int, Secret],
            Annotated[list[str], Secret],
            list[Token],
            dict[str, Token],
            tuple[int, Token],
            Key,
            SecretStr,
            SecretBytes,
            SecretStr | None,
            list[SecretStr],
            Account,
            Marked,
            list[Account] | None,
            Tree,
            Login,
            Options,
            Pair,
        ],
    )
    def test_is_found_in_every_spelling(self, hint: Any) -> None:
        assert is_secret(hint)

    @pytest.mark.parametrize("hint", [str, int | None, list[str], Any, Endless, dict[str, Any]])
    def test_is_not_found_where_there_is_none(self, hint: Any) -> None:
        assert not is_secret(hint)


def signs(*, account: Account, note: str = "", token: SecretStr = SecretStr("fallback")) -> None:  # noqa: B008
    pass


class TestATask:
    def test_publishes_no_default_of_a_secret(self) -> None:
        found = Task(name="signs", function=signs).schema["properties"]

        assert found["token"]["writeOnly"]
        assert "default" not in found["token"]
        assert found["account"]["writeOnly"]
        assert "writeOnly" not in found["note"]

    def test_may_not_mark_what_has_no_name(self) -> None:
        with pytest.raises(InvalidTask, match="name each secret argument"):
            task(marks_all)

    def test_may_only_name_its_own_arguments(self) -> None:
        with pytest.raises(InvalidTask, match="names pages; it has no such argument"):
            task(secrets_unaffected_by=("pages",))(signs)


def marks_all(**tokens: Token) -> None:
    pass


class TestRevealed:
    def test_lets_secrets_of_pydantic_reach_the_vault(self) -> None:
        given = {"account": Account(name="a", password=SecretStr("hush")), "keys": [SecretBytes(b"k")], "note": "n"}

        assert revealed(given) == {"account": {"name": "a", "password": "hush"}, "keys": ["k"], "note": "n"}
