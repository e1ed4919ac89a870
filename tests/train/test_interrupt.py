"""Ctrl-C is a question between steps, at once where work may be dropped, and immediate when pressed twice."""

from __future__ import annotations

import signal
import threading

import pytest

from qkvae.train.interrupt import Paused, interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_remembered_the_second_does_not_wait(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruptible() as interruption:
        assert not interruption.asked
        signal.raise_signal(number)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_where_work_may_be_dropped_it_ends_at_once() -> None:
    with interruptible() as interruption:
        with pytest.raises(Paused), interruption.at_once():
            signal.raise_signal(signal.SIGINT)
        assert interruption.asked


def test_other_threads_do_without() -> None:
    found: list[bool] = []

    def work() -> None:
        with interruptible() as interruption:
            found.append(interruption.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
