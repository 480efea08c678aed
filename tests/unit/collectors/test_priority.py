"""exporter.collectors.priority: what can wait waits while a scrape is under way, and no longer."""

import threading

import pytest

from exporter.collectors.priority import RightOfWay
from tests.support.waiting import wait_for


def comes_back(way: RightOfWay, seconds: float) -> bool:
    """Whether what gives way for so long goes on at once, or nearly."""
    giving = threading.Thread(target=way.give, args=[seconds], daemon=True)
    giving.start()
    giving.join(30)
    return not giving.is_alive()


def test_where_no_scrape_is_under_way_nobody_waits() -> None:
    way = RightOfWay()
    with way:
        pass
    assert comes_back(way, 3600)


def test_it_waits_until_the_last_of_several_scrapes_has_ended() -> None:
    way = RightOfWay()
    waiting = threading.Thread(target=way.give, args=[3600], daemon=True)
    with way:
        with way:
            waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    wait_for("the way to be free", lambda: not waiting.is_alive())


def test_a_scrape_that_never_ends_holds_nothing_up_for_good() -> None:
    way = RightOfWay()
    with way:
        assert [comes_back(way, seconds) for seconds in (0.01, 0, -5)] == [True, True, True]


def test_a_scrape_that_fails_has_ended() -> None:
    way = RightOfWay()
    with pytest.raises(OSError), way:
        raise OSError
    assert comes_back(way, 3600)
