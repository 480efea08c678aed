"""exporter.run.interrupt: Ctrl-C as a wish."""

import signal

import pytest

from exporter.run.interrupt import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_that_is_not_lost_and_the_second_ends_at_once(
    number: signal.Signals,
) -> None:
    with Interrupt() as interrupt:
        interrupt.check()
        signal.raise_signal(number)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_left_it_gives_the_signals_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
