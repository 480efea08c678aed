"""exporter.collectors.router.router: a router behind TLS."""

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from tests.support.local_http import LocalHttp
from tests.support.raw_router import (
    DOWN,
    NODES_FOUND,
    SHORT,
    WITH_MODELS,
    scrape,
    serve_raw_router,
)

server = pytest.fixture(serve_raw_router)


@pytest.fixture
def tls_server(server: LocalHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHttp:
    """The server behind a certificate whose authority SSL_CERT_FILE names."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.use_tls(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return server


def test_a_router_behind_tls_is_asked_as_any_other(tls_server: LocalHttp) -> None:
    assert scrape(tls_server.url) == {**WITH_MODELS, **NODES_FOUND}


def test_a_router_whose_certificate_nobody_vouches_for_is_down(
    tls_server: LocalHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "another.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "another.pem"))
    assert scrape(tls_server.url) == DOWN


def test_a_router_that_answers_https_in_the_clear_or_not_at_all_is_down(server: LocalHttp) -> None:
    assert scrape(server.url.replace("http://", "https://"), SHORT) == DOWN
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert scrape(f"https://127.0.0.1:{silent.getsockname()[1]}", SHORT) == DOWN
