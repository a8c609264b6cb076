from __future__ import annotations

from typing import Any

import pytest

from scheduler.core import triggers


def _remarks(trigger: dict[str, Any]) -> list[str]:
    return [str(remark) for remark in triggers.remarks(triggers.parse(trigger))]


def _of(expression: str) -> list[str]:
    return _remarks({"type": "cron", "expression": expression})


class TestStepsThatAreNoDistance:
    @pytest.mark.parametrize(
        ("expression", "text"),
        [
            ("*/90 * * * *", "The step of “*/90” is larger than its field has values"),
            ("0 */36 * * *", "The step of “*/36” is larger than its field has values"),
            ("*/45 * * * *", "“*/45” begins anew where its field does: the last distance is 15 instead of 45."),
            ("0 */5 * * *", "“*/5” begins anew where its field does: the last distance is 4 instead of 5."),
            ("*/7 0 0 * * *", "“*/7” begins anew where its field does: the last distance is 4 instead of 7."),
        ],
    )
    def test_are_remarked(self, expression: str, text: str) -> None:
        (remark,) = _of(expression)

        assert remark.startswith(text)

    @pytest.mark.parametrize("expression", ["*/15 * * * *", "0 */6 * * *", "5-50/9 * * * *", "@daily", "0 0 */2 * *"])
    def test_are_not_those_that_divide_or_have_an_end(self, expression: str) -> None:
        assert _of(expression) == []

    def test_are_remarked_in_fields_and_in_combinations(self) -> None:
        fields = {"type": "cron", "fields": {"minute": "*/25"}}

        assert len(_remarks(fields)) == len(_remarks({"type": "or", "triggers": [fields]})) == 1


class TestWeekdaysByNumber:
    def test_are_remarked_where_quartz_is_likely(self) -> None:
        (remark,) = _of("0 0 12 ? * 2-6")

        assert "“2-6” is tue, wed, thu, fri, sat." in remark

    @pytest.mark.parametrize("expression", ["0 0 12 ? * mon-fri", "0 12 * * 1-5", "0 0 12 1 * ?", "0 0 12 ? * fri#2"])
    def test_are_plain_without_its_signs(self, expression: str) -> None:
        assert _of(expression) == []
