"""`soak agents check` of agents and files that say anything: a line each, or one refusal."""

import json
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.agents import _document, _lines
from exporter.errors import ConfigurationError
from exporter.plain_text import one_line
from exporter.run.agent_check import check_agents
from exporter.run.http_answer import Answer, BoundedHttp
from exporter.settings.login import NO_LOGIN
from exporter.settings.scrape_targets import Asking, ScrapeTarget, configured_targets
from tests.support.checkout import CHECKOUT
from tests.support.clocks import FakeClock
from tests.support.mutations import NUMBERS, TEXTS, mutated_bytes, mutated_lines

AGENT = """\
exporter_build_info{version="0.1.0",python="3.11.2"} 1
exporter_collector_success{collector="node"} 1
exporter_collector_success{collector="gpu"} 0
node_time_seconds 1764000000
observed_process_up{process="x",role="node"} 1
gpu_info{gpu="0",uuid="GPU-a"} 1
"""
BODIES = (
    mutated_bytes(st.just(AGENT.encode()))
    | mutated_lines([AGENT]).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | NUMBERS.map(lambda number: AGENT.replace("1764000000", number).encode())
    | TEXTS.map(lambda text: AGENT.replace("0.1.0", text).encode("utf-8", "surrogatepass"))
)
DATES = (
    st.none() | TEXTS | st.sampled_from(["Sun, 29 Nov 2026 17:00:00 GMT", "Sun, 29 Nov 99999 17:00:00 GMT"])
)
STATUSES = st.sampled_from([200, 200, 200, 0, 302, 401, 403, 404, 500, 999])


@given(STATUSES, BODIES, DATES, TEXTS)
def test_whatever_an_agent_says_is_a_line_and_a_document(
    status: int, body: bytes, date: str | None, node: str
) -> None:
    target = ScrapeTarget("http://127.0.0.1:9877/metrics", {"node": node}, "targets.yml", Asking(NO_LOGIN))
    with patch.object(BoundedHttp, "ask", lambda *_args, **_more: Answer(status, body, date)):
        [found] = check_agents([target], 1, FakeClock())
    assert found.is_well or all(problem.text for problem in found.problems)
    for line in _lines(["targets.yml"], [found]):
        assert line == one_line(line)
        assert len(line) < 1000
    assert json.loads(json.dumps(_document(["targets.yml"], [found]), allow_nan=False))["agents"]


CONFIG = (CHECKOUT / "prometheus/prometheus.yml").read_text("utf-8")
TARGETS = '- targets: ["gpu-1:9877", "[::1]:9877"]\n  labels: {node: gpu-1, __scheme__: https}\n'


@given(
    mutated_lines([CONFIG]) | st.just(CONFIG),
    mutated_lines([TARGETS]) | TEXTS.map(lambda text: TARGETS.replace("gpu-1:9877", text)),
)
def test_whatever_the_files_say_are_targets_with_urls_or_one_refusal(config: str, targets: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "targets").mkdir()
        (folder / "prometheus.yml").write_bytes(config.encode("utf-8", "surrogatepass"))
        (folder / "targets/exporter.yml").write_bytes(targets.encode("utf-8", "surrogatepass"))
        try:
            found = configured_targets(folder / "prometheus.yml", "--config")
        except ConfigurationError as error:
            assert "\n" not in str(error)
        else:
            assert all(each.url.startswith(("http://", "https://")) for each in found)
