from __future__ import annotations

import pytest

from scheduler import failpoints
from scheduler.errors import DatabaseUnavailable, Misconfigured
from scheduler.failpoints import Failpoint, armed, parse


class TestWithoutTheVariable:
    def test_nothing_happens(self) -> None:
        for name in failpoints.NAMES:
            failpoints.hit(name)

        assert failpoints.hit is failpoints._off


class TestParse:
    def test_reads_name_action_seconds_and_probability(self) -> None:
        found = parse("claim.before_commit=kill:0.01, beat.before=sleep 2.5")

        assert found == {
            "claim.before_commit": Failpoint(action="kill", probability=0.01),
            "beat.before": Failpoint(action="sleep", seconds=2.5),
        }

    @pytest.mark.parametrize("text", ["nowhere=kill", "beat.before", "beat.before=explode", "beat.before=kill:often"])
    def test_refuses_what_does_not_exist(self, text: str) -> None:
        with pytest.raises(Misconfigured):
            parse(text)


class TestArmed:
    def test_raises_only_at_the_place_that_was_named(self) -> None:
        hit = armed(parse("finish.after_commit=raise"), seed="1")

        hit("finish.before_commit")
        with pytest.raises(DatabaseUnavailable, match=r"finish\.after_commit"):
            hit("finish.after_commit")

    def test_makes_the_same_choices_again_with_the_same_seed(self) -> None:
        def choices() -> list[bool]:
            hit = armed(parse("beat.before=raise:0.5"), seed="7")
            found = []
            for _ in range(50):
                try:
                    hit("beat.before")
                except DatabaseUnavailable:
                    found.append(True)
                else:
                    found.append(False)
            return found

        assert choices() == choices()
        assert 5 < sum(choices()) < 45
