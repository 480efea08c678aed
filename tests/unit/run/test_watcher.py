"""exporter.run.watcher: whether the exporter of a run is still the one of its begin."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from exporter.run.exporter_client import ExporterClient
from exporter.run.watcher import changed, watcher_at
from exporter.settings.exporter_config import Role
from exporter.settings.machine import this_machine
from exporter.settings.watch import Watched
from tests.support.local_http import Answer, LocalHttp
from tests.support.watching import watch_of

TARGET = "http://localhost:8080"
ROUTER = Watched(name="router", role=Role.ROUTER)
NODE = Watched(name="gpu-a", role=Role.NODE)


def answer(**said: Any) -> Answer:
    """Of an exporter on this machine."""
    here = this_machine()
    watch = watch_of(host=here.names[0], names=here.names[1:], network=here.network, **said)
    return 200, json.loads(watch.to_json())


def at_the_end(now: Answer, **before: Any) -> str | None:
    """What is said where the exporter's address answers so by the end."""
    answers = [answer(**before), now]
    with LocalHttp(lambda asked: answers.pop(0)) as server:
        exporter = ExporterClient(f"http://{server.address}")
        found = changed(watcher_at(exporter, TARGET).watching, exporter, TARGET)
        return None if found is None else found.english.replace(server.address, "there")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"url": "http://127.0.0.1:8081"}, "it watches http://127.0.0.1:8081"),
        ({}, {"url": None}, "it watches no router"),
        ({"url": "http://a:1"}, {"url": "http://b:1"}, "it watches http://b:1"),
        ({"processes": (ROUTER, NODE)}, {"processes": (NODE,)}, "it does not watch router"),
    ],
)
def test_an_exporter_that_watches_something_else_by_the_end_is_another(
    before: Mapping[str, Any], now: Mapping[str, Any], said: str
) -> None:
    text = at_the_end(answer(**now), **before)
    assert text == f"the exporter at http://there is not the one of the begin: {said}"


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, answer()),
        ({}, answer(url="http://localhost:8080")),
        ({"processes": (ROUTER,)}, answer(processes=(ROUTER, NODE))),
        ({}, (503, {})),
    ],
)
def test_one_that_was_started_anew_that_watches_more_or_is_away_is_not(
    before: Mapping[str, Any], now: Answer
) -> None:
    assert at_the_end(now, **before) is None
