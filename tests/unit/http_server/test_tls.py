"""exporter.http_server.tls: the properties of the server's context, key by key."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from exporter.errors import ConfigurationError
from exporter.http_server.config import TlsServer
from exporter.http_server.tls import alternate_names, server_context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA, **keys: Any) -> ssl.SSLContext:
    pair = authority.issue_cert("127.0.0.1")
    given = {
        "cert": pair.cert_chain_pems[0].bytes().decode(),
        "key": pair.private_key_pem.bytes().decode(),
        **keys,
    }
    return server_context(TlsServer.model_validate(given), Path())


def suites(made: ssl.SSLContext) -> set[str]:
    return {suite["name"] for suite in made.get_ciphers() if suite["protocol"] != "TLSv1.3"}


def test_by_default_tls_1_2_and_1_3_are_spoken_and_no_certificate_is_asked_for(authority: trustme.CA) -> None:
    made = context(authority)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made.maximum_version == ssl.TLSVersion.TLSv1_3
    assert made.verify_mode == ssl.CERT_NONE
    assert made.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_versions_and_preference_are_as_given(authority: trustme.CA) -> None:
    made = context(authority, min_version="TLS13", prefer_server_cipher_suites=False)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_3
    assert not made.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_cipher_suites_are_those_of_their_go_names(authority: trustme.CA) -> None:
    names = [
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_AES_128_GCM_SHA256",
    ]
    assert suites(context(authority, cipher_suites=names)) == {
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES256-SHA",
    }


def test_suites_of_tls_1_3_alone_leave_nothing_of_1_2(authority: trustme.CA) -> None:
    made = context(authority, cipher_suites=["TLS_AES_128_GCM_SHA256"])
    assert made.minimum_version == ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("policy", "mode"),
    [("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL), ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED)],
)
def test_a_policy_verifies_against_the_given_authority(
    authority: trustme.CA, policy: str, mode: ssl.VerifyMode
) -> None:
    made = context(authority, client_auth_type=policy, client_ca=authority.cert_pem.bytes().decode())
    assert made.verify_mode == mode
    assert len(made.get_ca_certs()) == 1


@pytest.mark.parametrize("text", ["", "é", "-----BEGIN CERTIFICATE-----"])
def test_authorities_that_are_no_certificates_are_named_by_their_key(
    authority: trustme.CA, text: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        context(authority, client_auth_type="RequireAndVerifyClientCert", client_ca=text)
    assert str(error.value) == "tls_server_config.client_ca_file: no PEM certificates"


def test_every_curve_of_the_toolkit_is_known(authority: trustme.CA) -> None:
    for curve in ("CurveP256", "CurveP384", "CurveP521", "X25519"):
        assert context(authority, curve_preferences=[curve]).verify_mode == ssl.CERT_NONE


def test_alternate_names_are_spelt_as_go_does() -> None:
    certificate = {
        "subjectAltName": (
            ("DNS", "prometheus.example"),
            ("IP Address", "10.0.0.1"),
            ("IP Address", "0:0:0:0:0:0:0:1"),
            ("email", "a@example"),
            ("URI", "spiffe://example/prometheus"),
            ("DirName", "((('commonName', 'x'),),)"),
        )
    }
    assert alternate_names(certificate) == {
        "prometheus.example",
        "10.0.0.1",
        "::1",
        "a@example",
        "spiffe://example/prometheus",
    }
    assert alternate_names({}) == set()
