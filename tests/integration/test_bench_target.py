"""scripts/bench/nginx_target.py: the stream that `make bench` loads, from a real nginx."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from nginx_target import STREAM_ENDPOINT, STREAM_EVENTS, STREAM_TOKENS, nginx_target, stream_text
from service import SYSTEM_PATH

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api
from exporter.load.stream.scan import StreamScan
from exporter.stack.ports import free_ports

needs_nginx = pytest.mark.skipif(
    shutil.which("nginx", path=SYSTEM_PATH) is None, reason="nginx not installed: apt install nginx"
)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[str]:
    with nginx_target(free_ports().router, tmp_path) as service:
        yield service.url


@needs_nginx
def test_each_request_gets_the_whole_stream_on_one_connection(target: str) -> None:
    with requests.Session() as session:
        for _ in range(3):
            answer = session.post(target + STREAM_ENDPOINT, json={"stream": True}, timeout=10)
            assert answer.status_code == 200
            assert answer.headers["Content-Type"] == "text/event-stream"
            assert answer.headers["Connection"] == "keep-alive"
            assert answer.text == stream_text()
        assert session.get(f"{target}/stream.sse", timeout=10).status_code == 404


def test_the_stream_is_complete_with_its_events_and_tokens() -> None:
    scan = StreamScan(Api.CHAT, complete_on_done=False, check_every=1)
    scan.feed(stream_text().encode(), at=1.0)
    assert scan.end() is StreamEnd.COMPLETE
    assert (scan.events, scan.token_events) == (STREAM_EVENTS, STREAM_TOKENS) == (66, 62)
    assert (scan.output_tokens, scan.disagreed) == (STREAM_TOKENS, 0)
