from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzdata

from scheduler.core import zone_rules


@pytest.fixture(autouse=True)
def path_of_before() -> Iterator[None]:
    before = zoneinfo.TZPATH
    yield
    zoneinfo.reset_tzpath(to=before)
    ZoneInfo.clear_cache()
    zone_rules.release.cache_clear()
    zone_rules.rank.cache_clear()


def _system(folder: Path, release: str, *, name: str = "tzdata.zi") -> tuple[str, ...]:
    prefix = "# version " if name == "tzdata.zi" else ""
    (folder / name).write_text(f"{prefix}{release}\n")
    # Everywhere is Tokyo, so that it shows which rules are read.
    (folder / "UTC").write_bytes((Path(tzdata.__file__).parent / "zoneinfo/Asia/Tokyo").read_bytes())
    (folder / "Europe").mkdir()
    (folder / "Europe/Berlin").write_bytes((folder / "UTC").read_bytes())
    return (str(folder),)


def _offset_of_berlin() -> float:
    offset = datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
    assert offset is not None
    return offset.total_seconds() / 3600


class TestUseNewest:
    @pytest.mark.parametrize("name", ["tzdata.zi", "+VERSION"])
    def test_takes_the_rules_of_the_system_where_they_are_newer(self, tmp_path: Path, name: str) -> None:
        assert zone_rules.use_newest(system=_system(tmp_path, "2999c", name=name), environ={}) == "2999c"
        assert zone_rules.release() == "2999c"
        assert _offset_of_berlin() == 9

    def test_takes_the_package_where_that_is_newer(self, tmp_path: Path) -> None:
        release = zone_rules.use_newest(system=_system(tmp_path, "2019a"), environ={})

        assert release == zone_rules.release() == tzdata.IANA_VERSION
        assert _offset_of_berlin() == 2

    def test_takes_the_package_where_the_system_names_no_release(self, tmp_path: Path) -> None:
        system = _system(tmp_path, "2999c")
        (tmp_path / "tzdata.zi").unlink()

        assert zone_rules.use_newest(system=system, environ={}) == tzdata.IANA_VERSION

    def test_takes_the_package_where_the_system_has_no_rules(self, tmp_path: Path) -> None:
        assert zone_rules.use_newest(system=(str(tmp_path),), environ={}) == tzdata.IANA_VERSION

    def test_returns_to_the_system_once_that_is_newer(self, tmp_path: Path) -> None:
        system = _system(tmp_path, "2019a")
        zone_rules.use_newest(system=system, environ={})
        (tmp_path / "tzdata.zi").write_text("# version 2999c\n")

        assert zone_rules.use_newest(system=system, environ={}) == "2999c"
        assert _offset_of_berlin() == 9

    def test_leaves_the_choice_to_the_variable_of_python(self, tmp_path: Path) -> None:
        zoneinfo.reset_tzpath(to=_system(tmp_path, "2019a"))

        assert zone_rules.use_newest(environ={"PYTHONTZPATH": str(tmp_path)}) == "2019a"


class TestIsOlder:
    @pytest.mark.parametrize(
        ("release", "than", "expected"),
        [
            ("2025b", "2026a", True),
            ("2026a", "2026b", True),
            ("2026b", "2026b", False),
            ("2026c", "2026b", False),
            ("installed 17", "2026b", True),
            ("", "2026b", True),
            ("2026b", "installed 17", False),
            ("2026b", "", False),
        ],
    )
    def test_compares_releases(self, release: str, than: str, *, expected: bool) -> None:
        assert zone_rules.is_older(release, than=than) is expected


class TestTheRank:
    @pytest.mark.parametrize(
        ("release", "rank"), [("2026c", "2026c"), ("installed 1700000000", ""), ("", ""), ("2026c-1", "")]
    )
    def test_orders_releases_and_puts_what_names_none_first(
        self, release: str, rank: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(zone_rules, "release", cache(lambda: release))
        zone_rules.rank.cache_clear()

        assert zone_rules.rank() == rank
