"""exporter.cli.run_plan: how a run asks the router itself, by its options."""

from pathlib import Path

import pytest
import trustme

from exporter.cli.run_options import TargetOptions
from exporter.cli.run_plan import router_api_of
from exporter.load.workload import make_workload
from exporter.settings.router_api import RouterApi
from exporter.settings.server_trust import ServerTrust


@pytest.mark.parametrize(
    ("target", "endpoint", "url"),
    [
        ("http://router:81", "/v1/chat/completions", "http://router:81"),
        ("http://router:81", "/llm/v1/chat/completions", "http://router:81/llm"),
        ("http://router/llm/v1", "/v1/chat/completions", "http://router/llm"),
        ("http://router/v1", "/v1/completions?a=/v1/b", "http://router"),
        ("http://router", "/generate", "http://router"),
    ],
)
def test_the_probe_asks_below_the_prefix_of_the_requests(target: str, endpoint: str, url: str) -> None:
    assert router_api_of(make_workload(target, endpoint, "m"), TargetOptions()) == RouterApi(url=url)


def test_the_options_of_the_probe_reach_it(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    options = TargetOptions(cacert=file, insecure=True, probe_timeout=40.0)
    asked = router_api_of(make_workload("https://router", "/v1/chat/completions", "m"), options)
    assert asked.timeout_seconds == 40.0
    assert asked.tls_config == ServerTrust(ca_file=file, insecure_skip_verify=True)
