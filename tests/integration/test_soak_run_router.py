"""`soak run` with the real wrk against routers that answer the load and not their probe."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from exporter.run.interrupt import Interrupt
from exporter.settings.router_api import RouterApi
from exporter.settings.server_trust import ServerTrust
from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports
from tests.support.local_http import Answer, Asked, LocalHttp
from tests.support.soak_command import Ended, SoakRun
from tests.support.waiting import need

MODELS = "/v1/models"
CHAT = "/v1/chat/completions"
LATE_SECONDS = 3.0


@pytest.fixture(autouse=True)
def _wrk() -> None:
    need("wrk")


class Router:
    """Answers every request of a load, and a path besides as a test says."""

    def __init__(self) -> None:
        self.models: dict[str, Answer] = {}
        self.server = LocalHttp(self._behave)

    def _behave(self, asked: Asked) -> Answer:
        if asked.path.endswith(CHAT):
            return 200, {"choices": []}
        if asked.path == MODELS and MODELS not in self.models:
            time.sleep(LATE_SECONDS)
        return self.models.get(asked.path, (404, ""))


@pytest.fixture
def router() -> Iterator[Router]:
    router = Router()
    with router.server:
        yield router


def judged(api: RouterApi, results: Path, *options: str) -> tuple[Ended, dict[str, str]]:
    """A run of a few seconds against this router, and its finding of the router."""
    with NativeStack(free_ports(), interrupt=Interrupt()) as stack:
        stack.start_exporter(router=api)
        target = ("--target", api.url, "--connections", "1", "--duration", "7s")
        ended = SoakRun(stack, results, *target, *options).end()
    findings = {each["check"]: each for each in ended.document["verdict"]["findings"]}
    return ended, findings["router"]


def test_a_router_that_is_slow_to_list_its_models_and_answers_the_load_is_up(
    router: Router, tmp_path: Path
) -> None:
    ended, finding = judged(RouterApi(url=router.server.url, timeout_seconds=0.5), tmp_path)
    assert finding["outcome"] == "pass"
    assert finding["text"].startswith("slow to answer its probe: ")
    assert "no answer within 0.5 s" in finding["text"]
    assert "the router's probe failed: no answer within 0.5 s" in ended.errors


def test_a_router_below_a_prefix_is_asked_there(router: Router, tmp_path: Path) -> None:
    router.models = {MODELS: (503, "nobody routes this"), f"/llm{MODELS}": (200, {"data": []})}
    api = RouterApi(url=f"{router.server.url}/llm")
    _, finding = judged(api, tmp_path, "--target", router.server.url, "--endpoint", f"/llm{CHAT}")
    assert (finding["outcome"], finding["text"].partition(",")[0]) == ("pass", "answered every probe")


def test_a_certificate_that_is_not_trusted_is_inconclusive_until_it_is(
    router: Router, tmp_path: Path
) -> None:
    router.models = {MODELS: (200, {"data": []})}
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    router.server.use_tls(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    ended, finding = judged(RouterApi(url=router.server.url), tmp_path / "without")
    assert (ended.code, finding["outcome"]) == (3, "inconclusive")
    assert "its certificate is not trusted" in finding["text"]

    trust = ServerTrust(ca_file=tmp_path / "ca.pem")
    _, finding = judged(RouterApi(url=router.server.url, tls_config=trust), tmp_path / "with")
    assert (finding["outcome"], finding["text"].partition(",")[0]) == ("pass", "answered every probe")
