"""exporter.collectors.priority: what can wait waits while a scrape is under way, and no longer."""

import threading

from exporter.collectors.priority import RightOfWay
from tests.support.waiting import wait_for


def test_where_no_scrape_is_under_way_nobody_waits() -> None:
    way = RightOfWay()
    with way:
        pass
    way.give(3600)


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
        way.give(0.01)
        way.give(0)
        way.give(-5)


def test_a_scrape_that_fails_has_ended() -> None:
    way = RightOfWay()
    try:
        with way:
            raise OSError
    except OSError:
        pass
    way.give(3600)
