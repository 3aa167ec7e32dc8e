"""Signals within the block are a wish, the second one an exception, and outside all is as before."""

import signal
import threading

import pytest

from cvpo_jax.runtime.interrupt import SIGNALS, interruptible


def test_nothing_is_requested_without_a_signal():
    with interruptible() as stop:
        assert not stop.requested


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_stops_at_once(number, capfd):
    with interruptible() as stop:
        signal.raise_signal(number)
        assert stop.requested
        assert "once more to stop at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_handlers_are_put_back_even_after_an_error():
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(RuntimeError), interruptible():
        assert [signal.getsignal(number) for number in SIGNALS] != before
        raise RuntimeError
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_in_another_thread_it_stands_aside():
    found = []

    def work():
        with interruptible() as stop:
            found.append((stop.requested, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, before)]
