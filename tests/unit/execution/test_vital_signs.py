from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator

import pytest

from scheduler.execution.vital_signs import Body, VitalSigns


@pytest.fixture
def signs() -> Iterator[VitalSigns]:
    signs = VitalSigns.make(seats=2)
    yield signs
    os.close(signs.descriptor())


class TestVitalSigns:
    def test_are_read_by_whoever_has_the_descriptor(self, signs: VitalSigns) -> None:
        node = str(uuid.uuid4())
        other = VitalSigns(file=signs.descriptor(), seats=2)
        assert (other.read().pulse, other.read().bodies) == (0.0, ())

        signs.be(node)
        signs.pulse()
        signs.progress(12.5)
        seat = signs.seat()
        seat.enter(7, thread=threading.get_native_id())

        found = other.read()
        assert found.pulse > 0
        assert (found.progress, found.node) == (12.5, node)
        assert found.bodies == (Body(thread=threading.get_native_id(), run=7),)
        seat.leave()
        assert other.read().bodies == ()

    def test_have_a_seat_for_each_thread_and_do_without_for_more(self, signs: VitalSigns) -> None:
        seats = [signs.seat() for _ in range(3)]
        for number, seat in enumerate(seats, 1):
            seat.enter(number)
        assert sorted(body.run for body in signs.read().bodies) == [1, 2]

        for seat in seats:
            signs.give_back(seat)
        assert signs.read().bodies == ()
        signs.seat().enter(4)
        assert [body.run for body in signs.read().bodies] == [4]

    def test_hand_out_no_descriptor_that_a_task_has_closed(self) -> None:
        signs = VitalSigns.make(seats=1)
        closed = signs.descriptor()
        with open(os.devnull, "rb") as other:
            os.dup2(other.fileno(), closed)

        with pytest.raises(OSError, match="A task closed"):
            signs.descriptor()
        os.close(closed)
